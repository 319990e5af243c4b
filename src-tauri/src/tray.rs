//! The tray icon and its menu: show, new chat, the model picker, quit. Without a tray on this
//! desktop the application goes on without one, and closing the window then ends it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use engine::Engine;
use protocol::{ModelGroup, ModelRef};
use tauri::menu::{CheckMenuItemBuilder, Menu, MenuBuilder, MenuItemBuilder, SubmenuBuilder};
use tauri::tray::TrayIconBuilder;
use tauri::{AppHandle, Emitter, Manager, Wry};

use crate::windows;

/// The tray icon's id.
pub const ID: &str = "tray";

const MODEL: &str = "model:";
/// A menu is no place to scroll: the picker in the window has the rest.
const MOST_MODELS: usize = 24;

/// Puts the icon into the tray, where there is one.
pub async fn open(app: &AppHandle, engine: &Engine) -> tauri::Result<()> {
    if !desktop_has_tray().await {
        tracing::info!("this desktop shows no tray icons");
        return Ok(());
    }
    let menu = menu(app, engine).await?;
    let (done, built) = tokio::sync::oneshot::channel();
    let handle = app.clone();
    app.run_on_main_thread(move || {
        // The tray's library is loaded when first used, and where it is missing its binding panics.
        let outcome = catch_unwind(AssertUnwindSafe(|| build(&handle, &menu)));
        // The asker waits; if it is gone, so is the application.
        drop(done.send(outcome.unwrap_or_else(|_| {
            tracing::warn!("no tray: the appindicator library is missing");
            Ok(())
        })));
    })?;
    built.await.unwrap_or(Ok(()))
}

fn build(app: &AppHandle, menu: &Menu<Wry>) -> tauri::Result<()> {
    let mut tray = TrayIconBuilder::with_id(ID)
        .tooltip("Pilotfish")
        .menu(menu)
        .on_menu_event(|app, event| chosen(app, event.id().as_ref()));
    if let Some(icon) = app.default_window_icon() {
        tray = tray.icon(icon.clone());
    }
    tray.build(app).map(|_| ())
}

/// Whether something on this desktop shows tray icons (the StatusNotifierItem specification of
/// freedesktop.org). Where nothing does, a hidden window could not be got back.
#[cfg(target_os = "linux")]
async fn desktop_has_tray() -> bool {
    let asked = async {
        let bus = zbus::Connection::session().await?;
        let names = zbus::fdo::DBusProxy::new(&bus).await?;
        names
            .name_has_owner("org.kde.StatusNotifierWatcher".try_into()?)
            .await
            .map_err(zbus::Error::from)
    };
    tokio::time::timeout(std::time::Duration::from_secs(2), asked)
        .await
        .is_ok_and(|answer| answer.unwrap_or(false))
}

#[cfg(not(target_os = "linux"))]
async fn desktop_has_tray() -> bool {
    true
}

/// Brings the menu's models and its mark up to date.
pub async fn refresh(app: &AppHandle, engine: &Engine) -> tauri::Result<()> {
    match app.tray_by_id(ID) {
        Some(tray) => tray.set_menu(Some(menu(app, engine).await?)),
        None => Ok(()),
    }
}

async fn menu(app: &AppHandle, engine: &Engine) -> tauri::Result<Menu<Wry>> {
    // Without a readable database there is nothing to choose from.
    let groups = engine.models(false).await.unwrap_or_default();
    let current = engine
        .default_model()
        .await
        .unwrap_or_else(|_| ModelRef::inhouse("default"));
    let mut models = SubmenuBuilder::new(app, format!("Model: {}", name(&groups, &current)));
    let mut room = MOST_MODELS;
    for group in &groups {
        if group.models.is_empty() || room == 0 {
            continue;
        }
        models = models.item(
            &MenuItemBuilder::new(&group.name)
                .enabled(false)
                .build(app)?,
        );
        for model in group.models.iter().take(room) {
            let item =
                CheckMenuItemBuilder::with_id(format!("{MODEL}{}", model.model), &model.name)
                    .checked(model.model == current)
                    .build(app)?;
            models = models.item(&item);
        }
        room = room.saturating_sub(group.models.len());
    }
    MenuBuilder::new(app)
        .text("show", "Show Pilotfish")
        .text("ask", "Ask…")
        .text("new", "New chat")
        .separator()
        .item(&models.build()?)
        .separator()
        .text("quit", "Quit Pilotfish")
        .build()
}

fn name(groups: &[ModelGroup], current: &ModelRef) -> String {
    groups
        .iter()
        .flat_map(|group| &group.models)
        .find(|model| model.model == *current)
        .map_or_else(|| current.to_string(), |model| model.name.clone())
}

fn chosen(app: &AppHandle, id: &str) {
    match id {
        "show" => windows::show_main(app),
        "ask" => windows::toggle_quick(app, None),
        "new" => {
            windows::show_main(app);
            if let Err(error) = app.emit_to(windows::MAIN, "new-chat", ()) {
                tracing::warn!(%error, "the window was not told of the new chat");
            }
        }
        "quit" => app.exit(0),
        _ => {
            if let Some(Ok(model)) = id.strip_prefix(MODEL).map(str::parse::<ModelRef>) {
                app.state::<crate::window::Tasks>()
                    .run(app, move |app| async move {
                        let engine = app.state::<Engine>().inner().clone();
                        if let Err(error) = engine.set_default_model(model).await {
                            tracing::warn!(%error, "the model of the tray's menu was not taken");
                        }
                    });
            }
        }
    }
}
