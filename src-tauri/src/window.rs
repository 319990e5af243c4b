//! The application with its windows: builds Tauri around the engine, wires the tray, the hotkey and
//! single instance to it, forwards the engine's news to the windows, and at the end waits for all
//! that is still being stored.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use engine::{Change, Engine, Paths, WorkerCommand};
use protocol::{AppError, ErrorCode};
use tauri::{AppHandle, Emitter, Manager, RunEvent};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::task::TaskTracker;
use vault::OsKeyring;

use crate::hotkey::Hotkey;
use crate::windows::Visibility;
use crate::{commands, summon, tray, windows};

/// How long the end of the application waits for answers to be stored.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Which window a start shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The chat window.
    Main,
    /// The quick window, as when it is summoned.
    Quick,
}

/// The shell's own tasks: started by events of the desktop, all awaited at the end.
#[derive(Clone, Default)]
pub struct Tasks(TaskTracker);

impl Tasks {
    /// Runs what an event of the desktop has set off.
    pub fn run<F: Future<Output = ()> + Send + 'static>(
        &self,
        app: &AppHandle,
        work: impl FnOnce(AppHandle) -> F,
    ) {
        let work = self.0.track_future(work(app.clone()));
        // Tauri's runtime is the process's only one; the tracker owns and joins the task.
        drop(tauri::async_runtime::spawn(work));
    }
}

/// Runs the application until the person quits it.
pub fn run(opening: Opening) -> ExitCode {
    crate::cli::log_to_stderr();
    let paths = match Paths::from_env() {
        Ok(paths) => paths,
        Err(error) => return crate::cli::fail(&error),
    };
    let engine = match tauri::async_runtime::block_on(open_engine(&paths)) {
        Ok(engine) => engine,
        Err(error) => return crate::cli::fail(&error),
    };
    let ending = engine.clone();
    let tasks = Tasks::default();
    let app = tauri::Builder::default()
        .plugin(tauri_plugin_single_instance::init(|app, arguments, _| {
            if summon::is_toggle(&arguments) {
                windows::toggle_quick(app);
            } else {
                windows::show_main(app);
            }
        }))
        .plugin(tauri_plugin_global_shortcut::Builder::new().build())
        .plugin(tauri_plugin_dialog::init())
        .manage(engine)
        .manage(paths)
        .manage(tasks.clone())
        .manage(Visibility::new())
        .invoke_handler(commands::handler())
        .setup(move |app| Ok(set_up(app.handle(), opening)?))
        .build(context());
    let app = match app {
        Ok(app) => app,
        Err(error) => {
            let sentence = format!("the window could not be opened: {error}");
            return crate::cli::fail(&AppError::new(ErrorCode::Unknown, sentence));
        }
    };
    let code = app.run_return(move |_, event| {
        if let RunEvent::Exit = event {
            tasks.0.close();
            let last = async {
                ending.shutdown().await;
                tasks.0.wait().await;
            };
            tauri::async_runtime::block_on(async {
                if tokio::time::timeout(LAST_WRITES, last).await.is_err() {
                    tracing::warn!("some tasks did not end in time");
                }
            });
        }
    });
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Tauri's configuration, the page and the windows' rights, read when the program was built.
#[expect(
    clippy::disallowed_methods,
    reason = "the macro's own code ends the process on iOS"
)]
fn context() -> tauri::Context {
    tauri::generate_context!()
}

/// Opens the engine over this run's folders and the system's keyring.
pub async fn open_engine(paths: &Paths) -> Result<Engine, AppError> {
    Engine::open(engine::Config {
        home: paths.clone(),
        worker: this_program_as_worker()?,
        keys: Arc::new(OsKeyring::open()),
    })
    .await
}

/// The model worker is this program over again: one file to ship, and never another version.
fn this_program_as_worker() -> Result<WorkerCommand, AppError> {
    let program = std::env::current_exe().map_err(|error| {
        AppError::new(
            ErrorCode::NotFound,
            format!("the program does not know its own path: {error}"),
        )
    })?;
    Ok(WorkerCommand {
        program,
        args: vec!["worker".into()],
    })
}

fn set_up(app: &AppHandle, opening: Opening) -> tauri::Result<()> {
    let engine = app.state::<Engine>().inner().clone();
    let hotkey = {
        let app = app.clone();
        Hotkey::new(move || {
            let pressed = app.clone();
            if let Err(error) = app.run_on_main_thread(move || windows::toggle_quick(&pressed)) {
                tracing::warn!(%error, "the hotkey was pressed and nothing could be shown");
            }
        })
    };
    app.manage(hotkey);
    let tasks = app.state::<Tasks>().inner().clone();
    tasks.run(app, |app| async move { summonable(app).await });
    tasks.run(app, |app| forward(app, engine));
    windows::open_main(app, opening)
}

/// Makes the application reachable without its window. Nothing of it may hold up the first frame.
async fn summonable(app: AppHandle) {
    let engine = app.state::<Engine>().inner().clone();
    if let Err(error) = tray::open(&app, &engine).await {
        tracing::warn!(%error, "no tray icon");
    }
    // A database that cannot be read has no settings: the usual key then.
    let key = engine.settings().await.unwrap_or_default().hotkey;
    let state = app.state::<Hotkey>().set(&app, &key).await;
    tracing::info!(?state, "hotkey");
    tell(&app, "hotkey-changed", &state);
}

/// Forwards the engine's news to the windows until the engine ends.
async fn forward(app: AppHandle, engine: Engine) {
    let mut changes = engine.changes();
    loop {
        let change = tokio::select! {
            change = changes.recv() => change,
            () = engine.closed() => return,
        };
        match change {
            Ok(change) => pass_on(&app, &engine, change).await,
            // More changed than was kept: windows ask for everything again.
            Err(RecvError::Lagged(_)) => {
                for change in [
                    Change::Conversations,
                    Change::Library,
                    Change::Settings,
                    Change::Models,
                ] {
                    pass_on(&app, &engine, change).await;
                }
            }
            Err(RecvError::Closed) => return,
        }
    }
}

async fn pass_on(app: &AppHandle, engine: &Engine, change: Change) {
    match change {
        Change::Conversations | Change::Titled { .. } => {
            tell(app, "conversations-changed", &());
            return;
        }
        Change::Models => tell(app, "models-changed", &()),
        Change::Library => tell(app, "library-changed", &()),
        Change::Settings => match engine.settings().await {
            Ok(settings) => tell(app, "settings-changed", &settings),
            Err(error) => tracing::warn!(%error, "the settings could not be read again"),
        },
    }
    if let Err(error) = tray::refresh(app, engine).await {
        tracing::warn!(%error, "the tray's menu is not up to date");
    }
}

fn tell(app: &AppHandle, event: &str, payload: &(impl serde::Serialize + Clone)) {
    if let Err(error) = app.emit(event, payload.clone()) {
        tracing::warn!(%error, event, "the windows were not told");
    }
}
