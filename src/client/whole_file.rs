//! A file that is there as a whole or not at all.
//!
//! What can't be gone on with (compressed, Parquet, a stream) is written to a temporary file in the same folder, which takes
//! the name when all of it is on the disk. A reader never sees a part of it, and a failure leaves nothing under the name.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use flate2::write::GzEncoder;

use super::format::Compression;
use super::output::{ExistingFile, OutputError};

/// Bytes that are collected before they are written.
const BUFFER_BYTES: usize = 256 * 1024;
/// Rows compress to a tenth already at the fastest level, which costs a third of the default one's time.
const GZIP_LEVEL: flate2::Compression = flate2::Compression::fast();
/// The level of the `zstd` command.
const ZSTD_LEVEL: i32 = 3;
/// What the name of a temporary file ends in, behind the id of its process.
const ENDING: &[u8] = b".part";
/// How often the lock of a folder is tried, and how long one waits in between. It is held for moments only.
const FOLDER_TRIES: u32 = 100;
const FOLDER_PAUSE: Duration = Duration::from_millis(10);

/// Takes bytes, and makes a file of them when all of them are there.
#[derive(Debug)]
pub struct WholeFile {
    name: String,
    target: Target,
    compression: Option<Compression>,
    temporary: Temporary,
    sink: Option<Encoder>,
    taken: u64,
}

/// Where the bytes end up.
#[derive(Debug)]
enum Target {
    Standard,
    /// A pipe or a device, which nothing can be renamed over.
    Special(PathBuf),
    File {
        path: PathBuf,
        replace: bool,
    },
}

/// The temporary file of a [`WholeFile`], for whoever ends the process while another thread still writes.
#[derive(Debug, Clone, Default)]
pub struct Temporary(Arc<Mutex<Stage>>);

/// What there is of a temporary file.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    None,
    At(PathBuf),
    /// It was given up, and none may be made any more.
    GivenUp,
}

impl Temporary {
    /// Removes the file, and sees to it that none comes under its name any more.
    pub fn give_up(&self) {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Stage::At(path) = &*stage {
            // The next run removes one that can't be removed now.
            let _ = fs::remove_file(path);
        }
        *stage = Stage::GivenUp;
    }

    /// Makes the file.
    fn make(&self, target: &Path, name: &str) -> Result<File, OutputError> {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Stage::GivenUp = *stage {
            return Err(given_up(name));
        }
        let (path, file) = make_temporary(target, name)?;
        *stage = Stage::At(path);
        Ok(file)
    }

    /// Gives the file its name.
    fn rename(&self, target: &Path, replace: bool, name: &str) -> Result<(), OutputError> {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Stage::At(path) = &*stage else {
            return Err(given_up(name));
        };
        let renamed = if replace {
            fs::rename(path, target)
        } else {
            rename_to_new(path, target)
        };
        renamed.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => OutputError::Exists(name.to_owned()),
            _ => io_error(name, error),
        })?;
        *stage = Stage::GivenUp;
        Ok(())
    }
}

impl WholeFile {
    /// The standard output. What went there can't be taken back.
    pub fn standard() -> Self {
        Self::new("the standard output".to_owned(), Target::Standard, None)
    }

    /// A file. Nothing is made before the first byte.
    ///
    /// # Errors
    /// It exists and may not, or can't be a file.
    pub fn create(
        path: &Path,
        existing: ExistingFile,
        compression: Option<Compression>,
    ) -> Result<Self, OutputError> {
        let name = path.display().to_string();
        let target = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(io_error(&name, io::ErrorKind::IsADirectory.into()));
            }
            Ok(metadata) if !metadata.is_file() => Target::Special(path.to_owned()),
            // Whatever is there, a link that leads nowhere among it.
            _ if fs::symlink_metadata(path).is_ok() => {
                if existing != ExistingFile::Replace {
                    return Err(OutputError::Exists(name));
                }
                Target::File {
                    // A link stays one: the file that it leads to is written anew.
                    path: fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
                    replace: true,
                }
            }
            _ => Target::File {
                path: path.to_owned(),
                replace: existing == ExistingFile::Replace,
            },
        };
        Ok(Self::new(name, target, compression))
    }

    fn new(name: String, target: Target, compression: Option<Compression>) -> Self {
        Self {
            name,
            target,
            compression,
            temporary: Temporary::default(),
            sink: None,
            taken: 0,
        }
    }

    /// How it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its temporary file.
    pub fn temporary(&self) -> Temporary {
        self.temporary.clone()
    }

    /// Whether it is a file, of which nothing is seen before it is whole.
    pub const fn is_file(&self) -> bool {
        matches!(self.target, Target::File { .. })
    }

    /// Bytes that went to the file, compressed if it is.
    pub fn written_bytes(&self) -> u64 {
        self.sink.as_ref().map_or(0, |sink| sink.counted().written)
    }

    /// Takes more.
    ///
    /// # Errors
    /// It can't be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        self.taken += bytes.len() as u64;
        let written = self.open()?.write_all(bytes);
        written.map_err(|error| io_error(&self.name, error))
    }

    /// Forgets what it has taken; gives whether that was possible.
    ///
    /// # Errors
    /// The temporary file can't be emptied.
    pub fn restart(&mut self) -> Result<bool, OutputError> {
        if self.taken == 0 {
            return Ok(true);
        }
        if !self.is_file() {
            return Ok(false);
        }
        if let Some(sink) = self.sink.take() {
            let emptied = sink.into_raw().and_then(|raw| {
                if let Raw::File(mut file) = raw {
                    file.set_len(0)?;
                    file.rewind()?;
                    self.sink = Some(Encoder::new(Raw::File(file), self.compression)?);
                }
                Ok(())
            });
            emptied.map_err(|error| io_error(&self.name, error))?;
        }
        self.taken = 0;
        Ok(true)
    }

    /// Says that this was all: waits until it is on the disk, and gives it its name.
    ///
    /// # Errors
    /// It can't be written, or something else has the name by now.
    pub fn finish(&mut self) -> Result<(), OutputError> {
        let finished = self.open()?.finish();
        finished.map_err(|error| io_error(&self.name, error))?;
        let Target::File { path, replace } = &self.target else {
            return Ok(());
        };
        if let Some(Raw::File(file)) = self.sink.as_ref().map(|sink| &sink.counted().raw) {
            if *replace {
                // Who may read the file is not for an export to change.
                if let Ok(old) = fs::metadata(path) {
                    let _ = file.set_permissions(old.permissions());
                }
            }
            file.sync_all()
                .map_err(|error| io_error(&self.name, error))?;
        }
        self.temporary.rename(path, *replace, &self.name)?;
        // So that the name survives a power failure too. Not every file system can do that.
        if let Ok(folder) = File::open(folder_of(path)) {
            let _ = folder.sync_all();
        }
        Ok(())
    }

    fn open(&mut self) -> Result<&mut Encoder, OutputError> {
        let sink = match self.sink.take() {
            Some(sink) => sink,
            None => {
                let raw = match &self.target {
                    Target::Standard => Raw::Standard(io::stdout()),
                    Target::Special(path) => Raw::File(
                        OpenOptions::new()
                            .write(true)
                            .open(path)
                            .map_err(|error| io_error(&self.name, error))?,
                    ),
                    Target::File { path, .. } => Raw::File(self.temporary.make(path, &self.name)?),
                };
                Encoder::new(raw, self.compression).map_err(|error| io_error(&self.name, error))?
            }
        };
        Ok(self.sink.insert(sink))
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        self.temporary.give_up();
    }
}

fn io_error(name: &str, error: io::Error) -> OutputError {
    OutputError::Io {
        path: name.to_owned(),
        error,
    }
}

fn given_up(name: &str) -> OutputError {
    io_error(name, io::Error::other("the export was given up"))
}

/// What bytes go to, in the end.
#[derive(Debug)]
enum Raw {
    Standard(io::Stdout),
    File(File),
}

/// Counts what goes through.
#[derive(Debug)]
struct Counted {
    raw: Raw,
    written: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.raw {
            Raw::Standard(standard) => standard.write(bytes),
            Raw::File(file) => file.write(bytes),
        }?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.raw {
            Raw::Standard(standard) => standard.flush(),
            Raw::File(file) => file.flush(),
        }
    }
}

/// Compresses what goes through, or doesn't.
enum Encoder {
    Plain(BufWriter<Counted>),
    Gzip(GzEncoder<BufWriter<Counted>>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<Counted>>),
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Encoder({:?})", self.counted())
    }
}

impl Encoder {
    fn new(raw: Raw, compression: Option<Compression>) -> io::Result<Self> {
        let out = BufWriter::with_capacity(BUFFER_BYTES, Counted { raw, written: 0 });
        Ok(match compression {
            None => Self::Plain(out),
            Some(Compression::Gzip) => Self::Gzip(GzEncoder::new(out, GZIP_LEVEL)),
            Some(Compression::Zstd) => {
                let mut encoder = zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?;
                // Gzip has a checksum anyway.
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    fn counted(&self) -> &Counted {
        match self {
            Self::Plain(out) => out.get_ref(),
            Self::Gzip(encoder) => encoder.get_ref().get_ref(),
            Self::Zstd(encoder) => encoder.get_ref().get_ref(),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    /// Writes what the compression ends with, and hands all of it to the operating system.
    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Gzip(encoder) => {
                encoder.try_finish()?;
                encoder.get_mut().flush()
            }
            Self::Zstd(encoder) => {
                encoder.do_finish()?;
                encoder.get_mut().flush()
            }
        }
    }

    /// What it wrote to, without what it still holds.
    fn into_raw(self) -> io::Result<Raw> {
        let out = match self {
            Self::Plain(out) => out,
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
        };
        // What is in the buffer belongs to what is thrown away.
        let (counted, _) = out.into_parts();
        Ok(counted.raw)
    }
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Makes the temporary file of this process and locks it. Those of processes that were killed are removed; one that another
/// process holds is an error.
fn make_temporary(target: &Path, name: &str) -> Result<(PathBuf, File), OutputError> {
    let folder = folder_of(target);
    let io = |error| io_error(name, error);
    let Some(file_name) = target.file_name() else {
        return Err(io(io::ErrorKind::InvalidFilename.into()));
    };
    let path = folder.join(temporary_name(file_name, process::id()));
    // Who holds the folder is the only one who looks around, so that of two at the same time exactly one goes on.
    let _folder = lock_folder(folder);
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if is_temporary_of(file_name, &entry.file_name()) {
            remove_stale(&entry.path(), &path, name)?;
        }
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(|error| match error.kind() {
            // Processes in different containers may have the same id.
            io::ErrorKind::AlreadyExists => OutputError::InUse(name.to_owned()),
            _ => io(error),
        })?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(OutputError::InUse(name.to_owned())),
        // Where the file system knows no locks, nobody is kept out.
        Ok(()) | Err(TryLockError::Error(_)) => Ok((path, file)),
    }
}

fn lock_folder(folder: &Path) -> Option<File> {
    let folder = File::open(folder).ok()?;
    for _ in 0..FOLDER_TRIES {
        match folder.try_lock() {
            Ok(()) => return Some(folder),
            Err(TryLockError::WouldBlock) => thread::sleep(FOLDER_PAUSE),
            Err(TryLockError::Error(_)) => return None,
        }
    }
    // Something else keeps the folder locked. The locks of the files themselves are still asked for.
    None
}

/// Removes a temporary file that nobody writes to any more. Where the file system knows no locks, only that of a process with
/// the id of this one is known to be such.
fn remove_stale(path: &Path, own: &Path, name: &str) -> Result<(), OutputError> {
    let file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error(&path.display().to_string(), error)),
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(OutputError::InUse(name.to_owned())),
        Err(TryLockError::Error(_)) if path != own => Ok(()),
        Ok(()) | Err(TryLockError::Error(_)) => match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(io_error(&path.display().to_string(), error))
            }
            _ => Ok(()),
        },
    }
}

/// Hidden, beside the file, told apart by process.
fn temporary_name(file_name: &OsStr, process: u32) -> OsString {
    let mut name = OsString::from(".");
    name.push(file_name);
    name.push(format!(".{process}.part"));
    name
}

fn is_temporary_of(file_name: &OsStr, other: &OsStr) -> bool {
    let process = other
        .as_encoded_bytes()
        .strip_prefix(b".")
        .and_then(|rest| rest.strip_prefix(file_name.as_encoded_bytes()))
        .and_then(|rest| rest.strip_prefix(b"."))
        .and_then(|rest| rest.strip_suffix(ENDING));
    process.is_some_and(|process| !process.is_empty() && process.iter().all(u8::is_ascii_digit))
}

/// Renames unless something has the new name. `rename` alone would replace what came there meanwhile.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => {
            // It is there under its name; the next run removes a second one that stays.
            let _ = fs::remove_file(from);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // Not every file system knows links.
        Err(_) if fs::symlink_metadata(to).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;

    /// A folder, and the path of a file that is not there yet.
    fn missing_file() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.csv");
        (folder, path)
    }

    fn refused_if_there(path: &Path) -> WholeFile {
        WholeFile::create(path, ExistingFile::Refuse, None).unwrap()
    }

    fn names(folder: &TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder.path()).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
        let mut names: Vec<String> = entries.map(|entry| name(entry).unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_when_it_is_whole() {
        let (folder, path) = missing_file();
        let mut file = refused_if_there(&path);
        assert!(names(&folder).is_empty(), "nothing before the first byte");
        file.write(b"a,").unwrap();
        assert_eq!(names(&folder), [format!(".r.csv.{}.part", process::id())]);
        file.write(b"b\r\n").unwrap();
        file.finish().unwrap();
        assert_eq!(names(&folder), ["r.csv"]);
        assert_eq!(file.written_bytes(), 5);
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"a,b\r\n");
    }

    #[test]
    fn a_file_without_bytes_is_a_file_too() {
        let (folder, path) = missing_file();
        refused_if_there(&path).finish().unwrap();
        assert_eq!(names(&folder), ["r.csv"]);
    }

    #[test]
    fn nothing_is_left_of_a_file_that_is_not_whole() {
        let (folder, path) = missing_file();
        let mut file = refused_if_there(&path);
        file.write(b"a").unwrap();
        drop(file);
        assert!(names(&folder).is_empty());

        let mut file = refused_if_there(&path);
        file.write(b"a").unwrap();
        file.temporary().give_up();
        assert!(names(&folder).is_empty());
        assert!(file.finish().is_err(), "it was given up");
        let mut late = refused_if_there(&path);
        late.temporary().give_up();
        assert!(late.write(b"a").is_err());
        assert!(names(&folder).is_empty());
    }

    #[test]
    fn a_file_that_exists_is_replaced_only_by_force_and_only_when_all_is_there() {
        let (folder, path) = missing_file();
        fs::write(&path, "precious").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = WholeFile::create(&path, ExistingFile::Refuse, None);
        assert!(matches!(refused, Err(OutputError::Exists(_))));
        let mut file = WholeFile::create(&path, ExistingFile::Replace, None).unwrap();
        file.write(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(names(&folder), ["r.csv"]);
    }

    #[test]
    fn a_file_that_came_meanwhile_is_left_alone() {
        let (folder, path) = missing_file();
        let mut file = refused_if_there(&path);
        file.write(b"new").unwrap();
        fs::write(&path, "precious").unwrap();
        assert!(matches!(file.finish(), Err(OutputError::Exists(_))));
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        assert_eq!(names(&folder), ["r.csv"]);
    }

    #[test]
    fn a_link_stays_a_link() {
        let (folder, path) = missing_file();
        let target = folder.path().join("target.csv");
        fs::write(&target, "old").unwrap();
        symlink(&target, &path).unwrap();
        let mut file = WholeFile::create(&path, ExistingFile::Replace, None).unwrap();
        file.write(b"new").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        fs::remove_file(&target).unwrap();
        let refused = WholeFile::create(&path, ExistingFile::Refuse, None);
        assert!(
            matches!(refused, Err(OutputError::Exists(_))),
            "a link to nothing"
        );
    }

    #[test]
    fn two_exports_into_one_file_are_noticed() {
        let (folder, path) = missing_file();
        // The lock of another process, as far as this one can tell.
        let other = folder.path().join(".r.csv.7.part");
        let held = File::create(&other).unwrap();
        held.lock().unwrap();
        let mut file = refused_if_there(&path);
        assert!(matches!(file.write(b"a"), Err(OutputError::InUse(_))));
        drop(file);
        assert_eq!(names(&folder), [".r.csv.7.part"]);
        // It was killed.
        drop(held);
        let mut file = refused_if_there(&path);
        file.write(b"a").unwrap();
        file.finish().unwrap();
        assert_eq!(names(&folder), ["r.csv"]);
    }

    #[test]
    fn only_temporary_files_of_the_same_name_are_removed() {
        let name = OsStr::new("r.csv");
        assert!(is_temporary_of(name, OsStr::new(".r.csv.12.part")));
        assert!(is_temporary_of(name, &temporary_name(name, u32::MAX)));
        for other in [
            "r.csv",
            "r.csv.12.part",
            ".r.csv.part",
            ".r.csv..part",
            ".r.csv.1x.part",
            ".r.csv.12.parts",
            ".s.csv.1.part",
            ".r.csv.1.2.part",
            ".r.csv.gz.1.part",
        ] {
            assert!(!is_temporary_of(name, OsStr::new(other)), "{other}");
        }
    }

    #[test]
    fn a_restart_forgets_everything() {
        for compression in [None, Some(Compression::Gzip), Some(Compression::Zstd)] {
            let (_folder, path) = missing_file();
            let mut file = WholeFile::create(&path, ExistingFile::Refuse, compression).unwrap();
            assert!(file.restart().unwrap(), "there is nothing to forget");
            // More than the buffers hold, and nothing that compresses well.
            let long: Vec<u8> = (0..1_000_000_u32)
                .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
                .collect();
            file.write(&long).unwrap();
            assert!(file.written_bytes() > BUFFER_BYTES as u64);
            assert!(file.restart().unwrap());
            file.write(b"rows\n").unwrap();
            file.finish().unwrap();
            let bytes = fs::read(&path).unwrap();
            assert_eq!(file.written_bytes(), bytes.len() as u64);
            let mut text = String::new();
            match compression {
                None => text = String::from_utf8(bytes).unwrap(),
                Some(Compression::Gzip) => {
                    let mut decoder = flate2::read::GzDecoder::new(&bytes[..]);
                    decoder.read_to_string(&mut text).unwrap();
                }
                Some(Compression::Zstd) => {
                    text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap();
                }
            }
            assert_eq!(text, "rows\n");
        }
    }

    #[test]
    fn a_pipe_is_written_through() {
        let mut file =
            WholeFile::create(Path::new("/dev/null"), ExistingFile::Refuse, None).unwrap();
        assert!(!file.is_file());
        file.write(b"a").unwrap();
        assert!(!file.restart().unwrap(), "what is gone is gone");
        file.finish().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let mut file =
            WholeFile::create(Path::new("/dev/full"), ExistingFile::Refuse, None).unwrap();
        file.write(b"a").unwrap();
        let error = file.finish().unwrap_err().to_string();
        assert!(error.starts_with("/dev/full: "), "{error}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = refused_if_there(&folder.path().join("no/r.csv"));
        assert!(file.write(b"a").is_err());
        let refused = WholeFile::create(folder.path(), ExistingFile::Replace, None);
        assert!(refused.is_err());
    }
}
