//! Fetches and unpacks a distribution, once per user and version.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use zip::ZipArchive;

use super::version::{Artifact, Source};
use super::{Cache, Error, Version, jars};
use crate::progress::Progress;

/// The Maven plugin that fetches one artifact; pinned, so that every machine runs the same.
const FETCHING_GOAL: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get";

/// Starts the names of the folders in which a distribution is made.
const UNFINISHED: &str = "unfinished-";

/// The folder of the unpacked distribution, fetched first when it is not in the cache yet.
pub(super) fn folder(cache: &Cache, version: Version) -> Result<PathBuf, Error> {
    let folder = cache.distribution(version);
    if folder.is_dir() {
        return Ok(folder);
    }

    let _lock = cache.lock(&version.file_name())?;
    if folder.is_dir() {
        return Ok(folder); // Another process fetched it meanwhile.
    }
    remove_what_killed_runs_left(cache, version);

    let failed = |reason: io::Error| Error::Distribution {
        version,
        reason: reason.to_string(),
    };
    let workshop = tempfile::Builder::new()
        .prefix(&unfinished_prefix(version))
        .permissions(Permissions::from_mode(0o755))
        .tempdir_in(cache.folder())
        .map_err(failed)?;
    let unpacked = workshop.path().join("distribution");
    match version.source() {
        Source::Zip(artifact) => {
            let zip = match zip_of_the_user(artifact) {
                Some(zip) => zip,
                None => fetch(version, artifact, workshop.path())?,
            };
            unpack(version, artifact, &zip, &unpacked)?;
        }
        Source::Jars => jars::assemble(version, workshop.path(), &unpacked)?,
    }
    make_readable(&unpacked).map_err(failed)?;
    fs::rename(&unpacked, &folder).map_err(failed)?;
    // Dropping the workshop deletes what was fetched.
    Ok(folder)
}

fn unfinished_prefix(version: Version) -> String {
    format!("{UNFINISHED}{}-", version.id())
}

/// Only the holder of the lock makes such folders, so any that is there is nobody's.
fn remove_what_killed_runs_left(cache: &Cache, version: Version) {
    let prefix = unfinished_prefix(version);
    for entry in fs::read_dir(cache.folder()).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            // What can't be removed costs space and nothing else.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The zip in the user's own Maven repository, if somebody fetched it before. It is read and left alone.
fn zip_of_the_user(artifact: Artifact) -> Option<PathBuf> {
    let home = std::env::var_os("HOME")?;
    let zip = Path::new(&home)
        .join(".m2/repository")
        .join(artifact.path_in_repository());
    let is_complete = fs::metadata(&zip).is_ok_and(|zip| zip.len() == artifact.bytes);
    is_complete.then_some(zip)
}

/// Lets Maven fetch the zip into a repository of its own, which is deleted afterwards: nothing of it stays in the user's.
fn fetch(version: Version, artifact: Artifact, workshop: &Path) -> Result<PathBuf, Error> {
    let repository = workshop.join("repository");
    let zip = repository.join(artifact.path_in_repository());
    let arguments = [
        FETCHING_GOAL.into(),
        "-Dtransitive=false".into(),
        format!("-Dartifact={}", artifact.coordinates()).into(),
    ];
    let progress = Progress::bytes(format!("Fetching {version}"), artifact.bytes);
    let result = watch_maven(version, workshop, &repository, &arguments, || {
        progress.set(size_under_way(&zip));
    });
    progress.finish();
    result?;
    Ok(zip)
}

/// Runs Maven in a folder, with a repository of its own.
pub(super) fn run_maven(
    version: Version,
    folder: &Path,
    repository: &Path,
    arguments: &[OsString],
) -> Result<(), Error> {
    let progress = Progress::steps(format!("Fetching {version}"), 1);
    let result = watch_maven(version, folder, repository, arguments, || ());
    progress.finish();
    result
}

/// The same; `look` is called again and again meanwhile, since quiet Maven says nothing and loud Maven too much.
fn watch_maven(
    version: Version,
    folder: &Path,
    repository: &Path,
    arguments: &[OsString],
    look: impl Fn(),
) -> Result<(), Error> {
    let log_path = repository.with_extension("log");
    let log = File::create(&log_path).map_err(Error::system("write Maven's log"))?;
    let mut maven = Command::new("mvn")
        .args(["--batch-mode", "--quiet"])
        .args(arguments)
        .arg(format!("-Dmaven.repo.local={}", repository.display()))
        // Away from any pom.xml but our own.
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(
            log.try_clone()
                .map_err(Error::system("write Maven's log"))?,
        )
        .stderr(log)
        .spawn()
        .map_err(|error| Error::Maven {
            found: format!("`mvn` can't be run ({error})"),
            version,
        })?;
    let succeeded = loop {
        if let Some(status) = maven.try_wait().map_err(Error::system("wait for mvn"))? {
            break status.success();
        }
        look();
        thread::sleep(Duration::from_millis(250));
    };
    if succeeded {
        return Ok(());
    }
    let log = fs::read_to_string(&log_path).unwrap_or_default();
    let reason = log
        .lines()
        .find(|line| line.contains("ERROR"))
        .unwrap_or("mvn said nothing");
    Err(Error::Distribution {
        version,
        reason: format!("mvn failed: {reason}"),
    })
}

/// The size of the largest file beside the zip to be: Maven gives it another name until it is complete.
fn size_under_way(zip: &Path) -> u64 {
    let files = zip
        .parent()
        .and_then(|folder| fs::read_dir(folder).ok())
        .into_iter()
        .flatten()
        .flatten();
    files
        .filter_map(|file| file.metadata().ok())
        .map(|file| file.len())
        .max()
        .unwrap_or(0)
}

/// Unpacks the Elasticsearch folder of the zip, and nothing else of it.
fn unpack(version: Version, artifact: Artifact, zip: &Path, target: &Path) -> Result<(), Error> {
    let failed = |reason: String| Error::Distribution {
        version,
        reason: format!("{}: {reason}", zip.display()),
    };
    let file = File::open(zip).map_err(|error| failed(error.to_string()))?;
    let mut archive =
        ZipArchive::new(io::BufReader::new(file)).map_err(|error| failed(error.to_string()))?;
    let inside = artifact.folder_in_zip();

    let names: Vec<String> = archive
        .file_names()
        .flatten()
        .filter(|name| name.starts_with(&inside))
        .map(|name| name.into_owned())
        .collect();
    let progress = Progress::steps(format!("Unpacking {version}"), names.len() as u64);
    for name in names {
        let mut entry = archive
            .by_name(&name)
            .map_err(|error| failed(error.to_string()))?;
        let enclosed = entry
            .enclosed_name()
            .ok_or_else(|| failed(format!("{name} leads out of the archive")))?;
        let path = target.join(
            enclosed
                .strip_prefix(&inside)
                .map_err(|error| failed(error.to_string()))?,
        );
        let written = if entry.is_dir() {
            fs::create_dir_all(&path)
        } else {
            write_file(&mut entry, &path)
        };
        written.map_err(|error| failed(format!("{}: {error}", path.display())))?;
        progress.advance();
    }
    progress.finish();
    Ok(())
}

fn write_file(content: &mut impl io::Read, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    io::copy(content, &mut File::create(path)?).map(|_| ())
}

/// A strict umask of the caller must not keep the user of the server from reading.
fn make_readable(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            make_readable(&path)?;
        } else {
            fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}
