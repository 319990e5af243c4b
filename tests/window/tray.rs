//! The tray, by a desktop that shows one: the test plays the host, reads the menu over D-Bus as a
//! panel does, and chooses from it.

use std::collections::HashMap;
use std::fs;

use tokio::sync::mpsc;
use tokio::time::timeout;
use zbus::message::Header;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Structure, Value};
use zbus::{Connection, Proxy};

use crate::app::{App, SOON};
use crate::desktop::Desktop;
use crate::until;

/// Where the page shows which model answers.
const PICKER: &str = "[data-testid=picker-button]";

/// How the small model's file names itself when it lies in the library a second time.
const SECOND: &str = "Smollm2 135M 8k";

/// The StatusNotifierWatcher specification of freedesktop.org.
struct Watcher {
    registered: mpsc::UnboundedSender<(String, String)>,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: &str, #[zbus(header)] header: Header<'_>) {
        let sender = header.sender().expect("a sender").to_string();
        // Either the item's place at the sender, or a name with the item at the usual place.
        let item = if service.starts_with('/') {
            (sender, service.to_owned())
        } else {
            (service.to_owned(), "/StatusNotifierItem".to_owned())
        };
        let _ = self.registered.send(item);
    }

    fn register_status_notifier_host(&self, _service: &str) {}

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        Vec::new()
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

/// An item's id, its properties, and the items below it, laid out alike.
type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

/// A menu item as the panel sees it.
#[derive(Clone, Debug)]
struct Item {
    id: i32,
    label: String,
    checked: bool,
}

/// The menu behind the icon.
struct Menu(Proxy<'static>);

impl Menu {
    /// Everything in it, submenus too, in order.
    async fn items(&self) -> Vec<Item> {
        let nothing: Vec<&str> = Vec::new();
        let (_revision, (_id, _properties, children)): (u32, Layout) = self
            .0
            .call("GetLayout", &(0_i32, -1_i32, nothing))
            .await
            .expect("the layout");
        let mut items = Vec::new();
        for child in &children {
            collect(child, &mut items);
        }
        items
    }

    async fn item(&self, label: &str) -> Item {
        let mut found = None;
        until(&format!("the menu has {label:?}"), SOON, async || {
            found = self
                .items()
                .await
                .into_iter()
                .find(|item| item.label == label);
            found.is_some()
        })
        .await;
        found.expect("the item")
    }

    async fn choose(&self, label: &str) {
        let id = self.item(label).await.id;
        let event = (id, "clicked", Value::from(0_i32), 0_u32);
        let _: () = self.0.call("Event", &event).await.expect("a click");
    }
}

fn collect(item: &Value<'_>, items: &mut Vec<Item>) {
    let item = match item {
        Value::Value(inner) => inner,
        item => item,
    };
    let fields = item.downcast_ref::<Structure<'_>>().expect("an item");
    let [id, properties, children] = fields.fields() else {
        panic!("an item has three fields: {fields:?}");
    };
    let properties: HashMap<String, OwnedValue> = properties
        .try_clone()
        .expect("a copy")
        .try_into()
        .expect("properties");
    items.push(Item {
        id: id.downcast_ref().expect("an id"),
        label: properties
            .get("label")
            .and_then(|label| label.downcast_ref::<&str>().ok())
            .unwrap_or_default()
            // A "_" marks the letter that chooses the item.
            .replace('_', ""),
        checked: properties
            .get("toggle-state")
            .is_some_and(|state| state.downcast_ref::<i32>() == Ok(1)),
    });
    if let Value::Array(children) = children {
        for child in children.iter() {
            collect(child, items);
        }
    }
}

#[tokio::test]
async fn the_tray_shows_picks_and_quits() {
    let desktop = Desktop::open("tray").await;
    let (registered, mut items) = mpsc::unbounded_channel();
    let bus: Connection = zbus::connection::Builder::address(&*desktop.session.bus_address)
        .expect("the bus")
        .serve_at("/StatusNotifierWatcher", Watcher { registered })
        .expect("a place")
        .name("org.kde.StatusNotifierWatcher")
        .expect("a name")
        .build()
        .await
        .expect("the watcher");
    let models = desktop.session.home.join("models");
    fs::hard_link(models.join("small.gguf"), models.join("second.gguf")).expect("a second model");
    let app = App::start(&desktop).await;
    app.past_welcome().await;
    let (owner, place) = timeout(SOON, items.recv())
        .await
        .expect("the icon registers itself")
        .expect("the watcher lives");
    let item = Proxy::new(&bus, owner.clone(), place, "org.kde.StatusNotifierItem")
        .await
        .expect("the icon");
    let menu: OwnedObjectPath = item.get_property("Menu").await.expect("its menu");
    let menu = Menu(
        Proxy::new(&bus, owner, menu, "com.canonical.dbusmenu")
            .await
            .expect("the menu"),
    );

    for label in ["Show Pilotfish", "Ask…", "New chat", "Quit Pilotfish"] {
        menu.item(label).await;
    }
    let mut second = None;
    until("the menu offers the second model", SOON, async || {
        let items = menu.items().await;
        second = items
            .into_iter()
            .find(|item| item.label.contains(SECOND) && !item.label.starts_with("Model: "));
        second.is_some()
    })
    .await;
    let second = second.expect("the second model").label;
    assert!(!app.text(PICKER).await.contains(SECOND));
    menu.choose(&second).await;
    until("the picker shows the tray's choice", SOON, async || {
        app.text(PICKER).await.contains(SECOND)
    })
    .await;
    until("the menu marks it", SOON, async || {
        let items = menu.items().await;
        items
            .iter()
            .any(|item| item.label == second && item.checked)
    })
    .await;

    // Closed is hidden, and "Show" brings it back; "Quit" ends it.
    let visible = ["search", "--onlyvisible", "--name", "^Pilotfish$"];
    desktop.ask("xdotool", &[&visible[..], &["windowactivate"]].concat());
    until("the window has the keys", SOON, async || {
        desktop.active_window() == "Pilotfish"
    })
    .await;
    desktop.ask("xdotool", &["key", "alt+F4"]);
    until("the window is hidden", SOON, async || {
        desktop.ask("xdotool", &visible).is_empty()
    })
    .await;
    assert!(!app.is_gone());
    menu.choose("Show Pilotfish").await;
    until("it is back", SOON, async || {
        !desktop.ask("xdotool", &visible).is_empty()
    })
    .await;
    menu.choose("Quit Pilotfish").await;
    until("it ends", SOON, async || app.is_gone()).await;
}
