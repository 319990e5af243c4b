//! What the in-house model is opened with.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the in-house model is set up. Opening it touches nothing on disk and starts no process.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder of the model files; made when first written to.
    pub models_dir: PathBuf,
    /// A folder for half-fetched files; may be emptied while nothing is being fetched.
    pub cache_dir: PathBuf,
    /// The worker to start.
    pub worker: WorkerCommand,
    /// How long a worker without work keeps its model in memory.
    pub idle_unload: Duration,
    /// Threads to compute with; `None` takes the physical cores.
    pub threads: Option<u32>,
}

impl Config {
    /// The idle time that the application uses: ten minutes.
    pub const IDLE_UNLOAD: Duration = Duration::from_secs(600);
}

/// The program that runs [`worker_main`](crate::worker_main): the application's own, with `worker`.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The program's path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// Cores that compute at full speed side by side, as far as this process may use them.
pub(crate) fn physical_cores() -> u32 {
    let allowed = std::thread::available_parallelism().map_or(1, |n| n.get());
    let cores = cores_in(Path::new("/sys/devices/system/cpu")).unwrap_or(allowed);
    u32::try_from(cores.clamp(1, allowed)).unwrap_or(1)
}

/// Counts cores by the threads that share one, as Linux tells them.
fn cores_in(folder: &Path) -> Option<usize> {
    let entries = std::fs::read_dir(folder).ok()?;
    let cores: HashSet<String> = entries
        .flatten()
        .filter_map(|cpu| {
            std::fs::read_to_string(cpu.path().join("topology/thread_siblings_list")).ok()
        })
        .collect();
    (!cores.is_empty()).then_some(cores.len())
}

#[cfg(test)]
mod tests {
    use super::cores_in;

    #[test]
    fn threads_of_one_core_count_once() {
        let folder = tempfile::tempdir().unwrap();
        for (cpu, siblings) in [
            ("cpu0", "0,2"),
            ("cpu1", "1,3"),
            ("cpu2", "0,2"),
            ("cpu3", "1,3"),
        ] {
            let topology = folder.path().join(cpu).join("topology");
            std::fs::create_dir_all(&topology).unwrap();
            std::fs::write(topology.join("thread_siblings_list"), siblings).unwrap();
        }
        assert_eq!(cores_in(folder.path()), Some(2));
        assert_eq!(cores_in(&folder.path().join("none")), None);
    }
}
