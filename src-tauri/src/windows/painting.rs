//! How a window's page is painted. WebKitGTK has the GPU do it, and where there is none it has GPU
//! programs compiled for the processor first, which takes longer than all else of a start and memory
//! besides. There it is told to paint on the processor straight away.

use tauri::WebviewWindow;

/// Devices that a GPU is reached by: Linux' own interface, NVIDIA's, and that of Windows around it.
#[cfg(target_os = "linux")]
const GPUS: [&str; 3] = ["/dev/dri", "/dev/nvidiactl", "/dev/dxg"];

/// Has a window painted in the way that this machine is good at.
#[cfg(target_os = "linux")]
pub(super) fn suit_machine(window: &WebviewWindow) {
    use webkit2gtk::{HardwareAccelerationPolicy, SettingsExt as _, WebViewExt as _};

    if GPUS.iter().any(|gpu| std::path::Path::new(gpu).exists()) {
        return;
    }
    let set = window.with_webview(|webview| {
        if let Some(settings) = webview.inner().settings() {
            settings.set_hardware_acceleration_policy(HardwareAccelerationPolicy::Never);
        }
    });
    if let Err(error) = set {
        tracing::warn!(%error, "the page is painted as on a machine with a GPU");
    }
}

/// Elsewhere the system's webview looks after itself.
#[cfg(not(target_os = "linux"))]
pub(super) fn suit_machine(_window: &WebviewWindow) {}
