//! The file that a bookmark is kept in from one export to the next.
//!
//! It is written after the export that it stands for is whole, so that it is never ahead of what has arrived: who dies in between
//! gets some rows once more and misses none.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::output::{ExistingFile, OutputError};
use super::whole_file::WholeFile;

/// Longest bookmark that is read. One over ten thousand indices has some hundred thousand bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Why a file with a bookmark is of no use.
#[derive(Debug, thiserror::Error)]
pub enum BookmarkFileError {
    /// It can't be read.
    #[error("--since: {path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// It has something else in it, and must not be overwritten.
    #[error("--since: {0} holds something else than a bookmark; name another file")]
    Foreign(String),
}

/// A file for a bookmark.
#[derive(Debug, Clone)]
pub struct BookmarkFile {
    path: PathBuf,
    /// What it holds; nothing before the first export.
    bookmark: Option<String>,
}

impl BookmarkFile {
    /// Reads what is there. A file that is not there, or empty, holds no bookmark yet.
    ///
    /// # Errors
    /// It can't be read, it has no folder to be written into, or holds something else.
    pub fn read(path: &Path) -> Result<Self, BookmarkFileError> {
        let name = || path.display().to_string();
        let io_error = |error| BookmarkFileError::Io {
            path: name(),
            error,
        };
        let bookmark = match File::open(path) {
            Ok(file) => {
                let mut bytes = Vec::new();
                let read = file.take(MAX_BYTES).read_to_end(&mut bytes);
                read.map_err(io_error)?;
                let text = String::from_utf8(bytes).ok();
                let text = text.filter(|text| is_bookmark(text.trim()));
                let text = text.ok_or_else(|| BookmarkFileError::Foreign(name()))?;
                Some(text.trim().to_owned()).filter(|text| !text.is_empty())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Better told now than after hours.
                let folder = match path.parent() {
                    Some(folder) if folder != Path::new("") => folder,
                    _ => Path::new("."),
                };
                if !folder.is_dir() {
                    return Err(io_error(io::ErrorKind::NotFound.into()));
                }
                None
            }
            Err(error) => return Err(io_error(error)),
        };
        Ok(Self {
            path: path.to_owned(),
            bookmark,
        })
    }

    /// The bookmark that it holds.
    pub fn bookmark(&self) -> Option<&str> {
        self.bookmark.as_deref()
    }

    /// How it is called in messages.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Puts another bookmark in place of what is there, whole or not at all.
    ///
    /// # Errors
    /// It can't be written.
    pub fn write(&mut self, bookmark: String) -> Result<(), OutputError> {
        let mut file = WholeFile::create(&self.path, ExistingFile::Replace, None)?;
        file.write(bookmark.as_bytes())?;
        file.write(b"\n")?;
        file.finish()?;
        self.bookmark = Some(bookmark);
        Ok(())
    }
}

/// Whether all characters are such as a bookmark has (RFC 4648, section 5).
fn is_bookmark(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_bookmark_is_kept_from_one_time_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bookmark");
        let mut file = BookmarkFile::read(&path).unwrap();
        assert_eq!(file.bookmark(), None);
        file.write("ab-c_1".to_owned()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "ab-c_1\n");
        let mut file = BookmarkFile::read(&path).unwrap();
        assert_eq!(file.bookmark(), Some("ab-c_1"));
        file.write("d".to_owned()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "d\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_empty_file_holds_no_bookmark_yet() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(BookmarkFile::read(file.path()).unwrap().bookmark(), None);
    }

    #[test]
    fn a_file_of_another_kind_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        for content in ["a,b\r\n1,2\r\n", "two words", "{}"] {
            fs::write(&path, content).unwrap();
            let error = BookmarkFile::read(&path).unwrap_err().to_string();
            assert!(error.contains("name another file"), "{error}");
        }
        fs::write(&path, [0xFF, 0xFE]).unwrap();
        assert!(BookmarkFile::read(&path).is_err());
        assert!(BookmarkFile::read(folder.path()).is_err());
        assert!(BookmarkFile::read(&folder.path().join("no/such")).is_err());
    }
}
