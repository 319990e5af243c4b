//! The application with its windows: builds Tauri around the engine, wires the tray, the hotkey and
//! single instance to it, forwards the engine's news to the windows, and at the end waits for all
//! that is still being stored.

use std::future::Future;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine::{Change, Engine, Paths};
use protocol::{AppError, ErrorCode};
use tauri::{AppHandle, Emitter, Manager, RunEvent};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::hotkey::Hotkey;
use crate::open::open_engine;
use crate::windows::Windows;
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

/// Runs the application until the person quits it. When one runs for this home already, that one
/// shows what this start was to show, and this one ends.
pub fn run(opening: Opening) -> ExitCode {
    crate::cli::log_to_stderr();
    match start(opening) {
        Ok(code) => code,
        Err(error) => {
            let code = crate::cli::fail(&error);
            windows::show_failure(&error);
            code
        }
    }
}

fn start(opening: Opening) -> Result<ExitCode, AppError> {
    let paths = Paths::from_env()?;
    #[cfg(target_os = "linux")]
    let instance = match tauri::async_runtime::block_on(summon::claim(opening)) {
        Ok(summon::Claim::Ours(instance)) => instance,
        Ok(summon::Claim::Called) => return Ok(ExitCode::SUCCESS),
        // It was asked and will act once it wakes: a second one would only get in its way.
        Err(error) => return Err(AppError::new(ErrorCode::Busy, error.to_string())),
    };
    windows::reach_display()?;
    let tasks = Tasks::default();
    let engine = begin_opening(&tasks, paths.clone());
    let failed = Arc::new(OnceLock::new());
    let failing = Arc::clone(&failed);
    let app = tauri::Builder::default();
    #[cfg(not(target_os = "linux"))]
    let app = app
        .plugin(tauri_plugin_single_instance::init(|app, arguments, _| {
            windows::open(app, summon::wanted(&arguments));
        }))
        .plugin(tauri_plugin_global_shortcut::Builder::new().build());
    let app = app
        .plugin(tauri_plugin_dialog::init())
        .manage(paths)
        .manage(tasks.clone())
        .manage(Windows::new())
        .invoke_handler(commands::handler())
        .setup(move |app| {
            let app = app.handle();
            // An error out of here would be a panic in Tauri.
            if let Err(error) = set_up(app, opening, engine) {
                let _ = failing.set(error);
                app.exit(1);
                return Ok(());
            }
            #[cfg(target_os = "linux")]
            app.state::<Tasks>().run(app, |app| hear(app, instance));
            Ok(())
        })
        .build(context());
    let app = match app {
        Ok(app) => app,
        Err(error) => {
            tauri::async_runtime::block_on(end(None, None, &tasks));
            return Err(no_window(&error));
        }
    };
    let code = app.run_return(move |app, event| {
        if let RunEvent::Exit = event {
            let (engine, hotkey) = (app.try_state::<Engine>(), app.try_state::<Hotkey>());
            tauri::async_runtime::block_on(end(engine.as_deref(), hotkey.as_deref(), &tasks));
        }
    });
    match failed.get() {
        Some(error) => Err(AppError::clone(error)),
        None => Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
    }
}

fn no_window(error: &tauri::Error) -> AppError {
    let sentence = format!("the window could not be opened: {error}");
    AppError::new(ErrorCode::Unknown, sentence)
}

/// Waits until everything is stored and every task has ended, but not for ever.
async fn end(engine: Option<&Engine>, hotkey: Option<&Hotkey>, tasks: &Tasks) {
    tasks.0.close();
    let last = async {
        if let Some(engine) = engine {
            engine.shutdown().await;
        }
        if let Some(hotkey) = hotkey {
            hotkey.release().await;
        }
        tasks.0.wait().await;
    };
    if tokio::time::timeout(LAST_WRITES, last).await.is_err() {
        tracing::warn!("some tasks did not end in time");
    }
}

/// Tauri's configuration, the page and the windows' rights, read when the program was built.
#[expect(
    clippy::disallowed_methods,
    reason = "the macro's own code ends the process on iOS"
)]
fn context() -> tauri::Context {
    tauri::generate_context!()
}

/// An engine that is being opened.
type OpeningEngine = oneshot::Receiver<Result<Engine, AppError>>;

/// Begins to open the engine, while the window is being made.
fn begin_opening(tasks: &Tasks, paths: Paths) -> OpeningEngine {
    let (opened, opening) = oneshot::channel();
    drop(tauri::async_runtime::spawn(tasks.0.track_future(
        async move {
            // When there is no window nobody waits for it any more, and it has to be closed.
            if let Err(Ok(engine)) = opened.send(open_engine(&paths).await) {
                engine.shutdown().await;
            }
        },
    )));
    opening
}

fn set_up(app: &AppHandle, opening: Opening, engine: OpeningEngine) -> Result<(), AppError> {
    let summoned = app.clone();
    let pressed = move |press| windows::toggle_quick(&summoned, press);
    #[cfg(target_os = "linux")]
    app.manage(Hotkey::new(pressed));
    #[cfg(not(target_os = "linux"))]
    app.manage(Hotkey::new(app.clone(), pressed));
    windows::open_main(app, opening).map_err(|error| no_window(&error))?;
    // The page asks for nothing before the event loop runs, and that waits for this.
    let engine = tauri::async_runtime::block_on(engine)
        .map_err(|_| AppError::new(ErrorCode::Unknown, "Pilotfish was ending: start it again"))??;
    app.manage(engine.clone());
    let tasks = app.state::<Tasks>().inner().clone();
    tasks.run(app, |app| async move { summonable(app).await });
    tasks.run(app, |app| forward(app, engine));
    Ok(())
}

/// Shows what later starts ask for, until the engine ends.
#[cfg(target_os = "linux")]
async fn hear(app: AppHandle, mut instance: summon::Instance) {
    let engine = app.state::<Engine>().inner().clone();
    loop {
        tokio::select! {
            call = instance.next() => match call {
                Some(opening) => windows::open(&app, opening),
                None => return,
            },
            () = engine.closed() => return,
        }
    }
}

/// Makes the application reachable without its window, and follows the hotkey until the engine
/// ends. Nothing of it may hold up the first frame.
async fn summonable(app: AppHandle) {
    let engine = app.state::<Engine>().inner().clone();
    tokio::select! {
        () = windows::open_quick_after_first_frame(&app) => {}
        () = engine.closed() => return,
    }
    engine.look_through_library().await;
    if let Err(error) = tray::open(&app, &engine).await {
        tracing::warn!(%error, "no tray icon");
    }
    // A database that cannot be read has no settings: the usual key then.
    let key = engine.settings().await.unwrap_or_default().hotkey;
    let hotkey = app.state::<Hotkey>();
    let follow = async {
        let mut state = hotkey.set(&key).await;
        loop {
            tracing::info!(?state, "hotkey");
            tell(&app, "hotkey-changed", &state);
            state = hotkey.changed().await;
        }
    };
    // The desktop may be asking the person about the key: the end does not wait for that.
    tokio::select! {
        () = follow => {}
        () = engine.closed() => {}
    }
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
        Change::Conversations => {
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
