//! The folder that outlives the commands: unpacked distributions, running servers, state.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::{Error, Version};

/// The environment variable that moves the cache folder.
const VARIABLE: &str = "OPTIMIZE_EXPORT_CACHE";

/// Root's cache. Root's home is closed to others, but the servers refuse to run as root, so another user must be able to read the distribution.
const CACHE_OF_ROOT: &str = "/var/cache/optimize-export";

/// The user and group `nobody`, under which a server runs when root starts it.
const NOBODY: u32 = 65_534;

/// The cache folder of one user: `/var/cache/optimize-export` for root, `~/.cache/optimize-export` (or below `XDG_CACHE_HOME`) for anyone else, or what
/// the environment variable `OPTIMIZE_EXPORT_CACHE` says.
///
/// ```text
/// elasticsearch-8.19.8/     an unpacked distribution, complete as soon as it is there
/// elasticsearch-8.19.8.lock held while it is fetched and unpacked
/// servers/                  one folder per running server: configuration, data, logs
/// started-8.19.8.json       the server that `cargo xtask server start` has started
/// ```
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    runs_as_root: bool,
}

impl Cache {
    /// The cache folder of the user who runs this process, made when it is missing.
    pub fn of_this_user() -> Result<Self, Error> {
        let runs_as_root = rustix::process::geteuid().is_root();
        let cache = Self {
            folder: chosen_folder(runs_as_root)?,
            runs_as_root,
        };
        cache.create()?;
        Ok(cache)
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The user and group under which a server has to run, when not the caller's own.
    pub(super) fn other_user(&self) -> Option<u32> {
        self.runs_as_root.then_some(NOBODY)
    }

    /// Gives a path to the user under whom servers run.
    pub(super) fn hand_over(&self, path: &Path) -> Result<(), Error> {
        match self.other_user() {
            Some(user) => chown(path, Some(user), Some(user)).map_err(Error::system(format!(
                "give {} to the user of the server",
                path.display()
            ))),
            None => Ok(()),
        }
    }

    /// Where the unpacked distribution of a version lies.
    pub(super) fn distribution(&self, version: Version) -> PathBuf {
        self.folder.join(version.file_name())
    }

    /// Where the folders of the running servers lie.
    pub(super) fn servers(&self) -> PathBuf {
        self.folder.join("servers")
    }

    /// Where the state of a started server is written.
    pub(super) fn state_file(&self, version: Version) -> PathBuf {
        self.folder.join(format!("started-{}.json", version.id()))
    }

    /// Waits for the lock of this name and holds it until the file is dropped, or its process ends in whatever way.
    pub(super) fn lock(&self, name: &str) -> Result<File, Error> {
        let path = self.folder.join(format!("{name}.lock"));
        let doing = format!("lock {}", path.display());
        let file = File::create(&path).map_err(Error::system(&doing))?;
        file.lock().map_err(Error::system(&doing))?;
        Ok(file)
    }

    fn create(&self) -> Result<(), Error> {
        let servers = self.servers();
        fs::create_dir_all(&servers).map_err(Error::system(format!(
            "make the folder {}",
            servers.display()
        )))?;
        if self.runs_as_root {
            // As in /tmp, anyone may make a folder and only its owner may remove it: a server removes its own.
            let shared = |path: &Path, mode| {
                fs::set_permissions(path, Permissions::from_mode(mode))
                    .map_err(Error::system(format!("open the folder {}", path.display())))
            };
            shared(&self.folder, 0o755)?;
            shared(&servers, 0o1777)?;
        }
        Ok(())
    }
}

fn chosen_folder(runs_as_root: bool) -> Result<PathBuf, Error> {
    let of_variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(folder) = of_variable(VARIABLE) {
        return std::path::absolute(folder)
            .map_err(Error::system(format!("make sense of {VARIABLE}")));
    }
    if runs_as_root {
        return Ok(PathBuf::from(CACHE_OF_ROOT));
    }
    of_variable("XDG_CACHE_HOME")
        .or_else(|| of_variable("HOME").map(|home| home.join(".cache")))
        .map(|caches| caches.join("optimize-export"))
        .ok_or_else(|| Error::System {
            doing: "choose a cache folder".to_owned(),
            reason: format!("neither {VARIABLE} nor XDG_CACHE_HOME nor HOME is set"),
        })
}
