//! The file that an export is written to.
//!
//! Each row is one line, in both formats: as JSON lines, and as the elements of one JSON array. So what a file has can be
//! found out line by line, and what a crash left behind is a last line without its end, which is cut off.

use std::borrow::Cow;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

use super::format::Compression;
use super::ids::{InstanceIds, instance_id};
use super::whole_file::{Temporary, WholeFile};

/// Bytes that are collected before they are written.
const BUFFER_BYTES: usize = 256 * 1024;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON value per line.
    Lines,
    /// One JSON array.
    Array,
}

/// What happens to a file that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingFile {
    /// It is left alone, and that is an error.
    Refuse,
    /// Rows that it does not have are added.
    Resume,
    /// It is written anew, as soon as there is something to write.
    Replace,
}

/// Why the output can't be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The file is there and nobody said what to do with it.
    #[error(
        "{0} exists already; --force writes it anew, and --resume goes on with JSON that was read page by page"
    )]
    Exists(String),
    /// Two exports into one file would mix their rows.
    #[error("another export is writing to {0}")]
    InUse(String),
    /// The file holds something else than rows.
    #[error(
        "line {line} of {path} is no row of a raw data report; only a file of such rows can be resumed, --force writes it anew"
    )]
    NoRow {
        /// The file.
        path: String,
        /// Counted from 1.
        line: u64,
    },
    /// There are rows in the file, but the report's result is no rows.
    #[error(
        "the result of the report is no rows of raw data, so that {0} can't be resumed; --force writes it anew"
    )]
    NothingToResume(String),
    /// The operating system says no.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// What it says.
        error: io::Error,
    },
}

/// Where rows go. A file is made or changed only when there is something to write.
#[derive(Debug)]
pub struct Output {
    name: String,
    format: Format,
    sink: Sink,
    ids: InstanceIds,
    rows: u64,
    new_rows: u64,
    written: u64,
}

#[derive(Debug)]
enum Sink {
    /// A file that is to be made, or made empty.
    Unopened {
        path: PathBuf,
        replace: bool,
    },
    /// A file that was read up to the end of its last whole row; what follows is cut off when something is written.
    Resumed {
        file: File,
        end: u64,
    },
    File(BufWriter<File>),
    Standard(BufWriter<io::Stdout>),
    /// A file that is compressed, so that nothing can be added to it.
    Whole(Box<WholeFile>),
}

impl Output {
    /// The standard output.
    pub fn standard(format: Format) -> Self {
        let sink = Sink::Standard(BufWriter::with_capacity(BUFFER_BYTES, io::stdout()));
        Self::new("the standard output".to_owned(), format, sink)
    }

    /// A file. One that is resumed is read here, for the ids of the rows that it has.
    ///
    /// # Errors
    /// The file exists and may not, is in use, or holds something else.
    pub fn file(path: &Path, format: Format, existing: ExistingFile) -> Result<Self, OutputError> {
        let name = path.display().to_string();
        let io = |error| OutputError::Io {
            path: name.clone(),
            error,
        };
        let exists = path.try_exists().map_err(io)?;
        if exists && existing == ExistingFile::Refuse {
            return Err(OutputError::Exists(name));
        }
        if !exists || existing == ExistingFile::Replace {
            let sink = Sink::Unopened {
                path: path.to_owned(),
                replace: existing == ExistingFile::Replace,
            };
            return Ok(Self::new(name, format, sink));
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(io)?;
        lock(&file, &name)?;
        let found = scan(BufReader::with_capacity(BUFFER_BYTES, &file), format).map_err(
            |error| match error {
                ScanError::Io(error) => io(error),
                ScanError::NoRow(line) => OutputError::NoRow {
                    path: name.clone(),
                    line,
                },
            },
        )?;
        let sink = Sink::Resumed {
            file,
            end: found.end,
        };
        Ok(Self {
            ids: found.ids,
            rows: found.rows,
            ..Self::new(name, format, sink)
        })
    }

    /// A file that is compressed. It can't be resumed, so it gets its name when it is whole.
    ///
    /// # Errors
    /// The file exists and may not.
    pub fn compressed(
        path: &Path,
        format: Format,
        existing: ExistingFile,
        compression: Compression,
    ) -> Result<Self, OutputError> {
        let file = WholeFile::create(path, existing, Some(compression))?;
        Ok(Self::new(
            file.name().to_owned(),
            format,
            Sink::Whole(Box::new(file)),
        ))
    }

    fn new(name: String, format: Format, sink: Sink) -> Self {
        Self {
            name,
            format,
            sink,
            ids: InstanceIds::default(),
            rows: 0,
            new_rows: 0,
            written: 0,
        }
    }

    /// How it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Rows that it has, those of an earlier export among them.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows that were added.
    pub fn new_rows(&self) -> u64 {
        self.new_rows
    }

    /// Bytes that were written, compressed if the file is.
    pub fn written_bytes(&self) -> u64 {
        match &self.sink {
            Sink::Whole(file) => file.written_bytes(),
            _ => self.written,
        }
    }

    /// Whether another export can go on with what this one leaves behind.
    pub const fn can_be_resumed(&self) -> bool {
        !matches!(self.sink, Sink::Standard(_) | Sink::Whole(_))
    }

    /// The temporary file, if it is written to one.
    pub fn temporary(&self) -> Option<Temporary> {
        match &self.sink {
            Sink::Whole(file) => Some(file.temporary()),
            _ => None,
        }
    }

    /// Writes the row of an instance, unless it is there; gives whether it was written.
    ///
    /// # Errors
    /// It can't be written.
    pub fn row(&mut self, instance_id: &str, row: &str) -> Result<bool, OutputError> {
        if self.ids.contains(instance_id) {
            return Ok(false);
        }
        self.entry(row)?;
        self.ids.insert(instance_id);
        Ok(true)
    }

    /// Writes the result of a report that is no rows of raw data; `None` is a number that there is not.
    ///
    /// # Errors
    /// It can't be written, or the file has rows of raw data.
    pub fn value(&mut self, value: Option<&RawValue>) -> Result<(), OutputError> {
        let text = value.map_or("null", RawValue::get);
        let entries: Option<Vec<&RawValue>> = serde_json::from_str(text).ok();
        if entries.as_ref().is_some_and(Vec::is_empty) {
            // No rows and no entries are the same.
            return Ok(());
        }
        if self.rows > 0 {
            return Err(OutputError::NothingToResume(self.name.clone()));
        }
        match entries {
            Some(entries) => entries
                .into_iter()
                .try_for_each(|entry| self.entry(entry.get())),
            None if value.is_none() && self.format == Format::Lines => Ok(()),
            None => {
                // A number stands by itself, without the brackets of a list.
                self.format = Format::Lines;
                self.entry(text)
            }
        }
    }

    /// Hands what was collected to the operating system, so that a crash of this process can't lose it.
    ///
    /// # Errors
    /// It can't be written.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        let flushed = match &mut self.sink {
            Sink::File(file) => file.flush(),
            Sink::Standard(standard) => standard.flush(),
            // A whole file is of no use before its end.
            Sink::Unopened { .. } | Sink::Resumed { .. } | Sink::Whole(_) => Ok(()),
        };
        flushed.map_err(|error| self.io(error))
    }

    /// Writes the end, and waits until all of it is on the disk.
    ///
    /// # Errors
    /// It can't be written.
    pub fn finish(&mut self) -> Result<(), OutputError> {
        let end = match (self.format, self.rows) {
            (Format::Lines, _) => "",
            (Format::Array, 0) => "[]\n",
            (Format::Array, _) => "\n]\n",
        };
        self.write(end)?;
        self.flush()?;
        match &mut self.sink {
            Sink::File(file) => (file.get_ref().sync_all()).map_err(|error| self.io(error)),
            Sink::Whole(file) => file.finish(),
            _ => Ok(()),
        }
    }

    fn entry(&mut self, text: &str) -> Result<(), OutputError> {
        let before = match (self.format, self.rows) {
            (Format::Lines, _) => "",
            (Format::Array, 0) => "[\n",
            (Format::Array, _) => ",\n",
        };
        self.write(before)?;
        self.write(&one_line(text))?;
        if self.format == Format::Lines {
            self.write("\n")?;
        }
        self.rows += 1;
        self.new_rows += 1;
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), OutputError> {
        self.open()?;
        let written = match &mut self.sink {
            Sink::File(file) => file.write_all(text.as_bytes()),
            Sink::Standard(standard) => standard.write_all(text.as_bytes()),
            Sink::Whole(file) => return file.write(text.as_bytes()),
            Sink::Unopened { .. } | Sink::Resumed { .. } => Ok(()),
        };
        written.map_err(|error| self.io(error))?;
        self.written += text.len() as u64;
        Ok(())
    }

    /// Makes the file, or cuts off what follows its last whole row.
    fn open(&mut self) -> Result<(), OutputError> {
        let file = match &self.sink {
            Sink::File(_) | Sink::Standard(_) | Sink::Whole(_) => return Ok(()),
            Sink::Unopened { path, replace } => {
                let mut options = OpenOptions::new();
                options.write(true);
                if *replace {
                    // Emptied below: not before it is known that nobody else writes to it.
                    options.create(true).truncate(false);
                } else {
                    options.create_new(true);
                }
                options
                    .open(path)
                    .map_err(|error| match error.kind() {
                        io::ErrorKind::AlreadyExists => OutputError::Exists(self.name.clone()),
                        _ => self.io(error),
                    })
                    .and_then(|file| {
                        lock(&file, &self.name)?;
                        file.set_len(0).map_err(|error| self.io(error))?;
                        Ok(file)
                    })?
            }
            Sink::Resumed { file, end } => {
                let cut = |mut file: &File| {
                    file.set_len(*end)?;
                    file.seek(SeekFrom::Start(*end))?;
                    file.try_clone()
                };
                cut(file).map_err(|error| self.io(error))?
            }
        };
        self.sink = Sink::File(BufWriter::with_capacity(BUFFER_BYTES, file));
        Ok(())
    }

    fn io(&self, error: io::Error) -> OutputError {
        OutputError::Io {
            path: self.name.clone(),
            error,
        }
    }
}

/// Keeps other exports out until this process ends. Where the file system knows no locks, nobody is kept out.
fn lock(file: &File, name: &str) -> Result<(), OutputError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(OutputError::InUse(name.to_owned())),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// A line break in JSON text is only ever white space: within a string it is written as `\n`.
fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\r']) {
        Cow::Owned(text.replace(['\n', '\r'], " "))
    } else {
        Cow::Borrowed(text)
    }
}

/// What a file has.
#[derive(Debug, Default)]
struct Found {
    ids: InstanceIds,
    rows: u64,
    /// Bytes up to where the next row is to be written.
    end: u64,
}

#[derive(Debug)]
enum ScanError {
    Io(io::Error),
    /// This line, counted from 1, is something else.
    NoRow(u64),
}

/// Reads a file of rows line by line. Its last line counts only if it ends as a line; what follows the last whole row is
/// left out of [`Found::end`]: the rest of a row, or the bracket that closes the array.
fn scan(mut file: impl BufRead, format: Format) -> Result<Found, ScanError> {
    let mut found = Found::default();
    let mut line = Vec::new();
    let mut position = 0;
    let mut doubtful = None;
    for number in 1.. {
        line.clear();
        let length = file.read_until(b'\n', &mut line).map_err(ScanError::Io)? as u64;
        if length == 0 {
            break;
        }
        // Only the very last line may be damaged.
        if let Some(doubtful) = doubtful {
            return Err(ScanError::NoRow(doubtful));
        }
        let start = position;
        position += length;
        let is_first_of_array = format == Format::Array && number == 1;
        if is_first_of_array {
            match line.trim_ascii_end() {
                b"[" => {}
                b"[]" => doubtful = Some(number + 1),
                _ => return Err(ScanError::NoRow(number)),
            }
            continue;
        }
        let Some(text) = line.strip_suffix(b"\n") else {
            if !may_be_torn(&line) && line != b"]" {
                return Err(ScanError::NoRow(number));
            }
            break;
        };
        let text = match format {
            Format::Lines => text,
            Format::Array => text.strip_suffix(b",").unwrap_or(text),
        };
        if format == Format::Array && text == b"]" {
            doubtful = Some(number + 1);
            continue;
        }
        let row = std::str::from_utf8(text).ok();
        match row.and_then(|row| instance_id(row).ok()) {
            Some(Some(id)) => {
                found.ids.insert(&id);
                found.rows += 1;
                found.end = match format {
                    Format::Lines => position,
                    Format::Array => start + text.len() as u64,
                };
            }
            None if may_be_torn(text) => doubtful = Some(number),
            None | Some(None) => return Err(ScanError::NoRow(number)),
        }
    }
    Ok(found)
}

/// Whether a line can be what is left of a row: its beginning, or the zeros that a power failure leaves.
fn may_be_torn(line: &[u8]) -> bool {
    matches!(line.first(), Some(b'{' | 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str) -> String {
        format!(r#"{{"processInstanceId":"{id}"}}"#)
    }

    /// Writes rows into a file by one export, and gives what is in it then.
    fn export(path: &Path, format: Format, existing: ExistingFile, ids: &[&str]) -> (String, u64) {
        let mut output = Output::file(path, format, existing).unwrap();
        for id in ids {
            output.row(id, &row(id)).unwrap();
        }
        output.finish().unwrap();
        (std::fs::read_to_string(path).unwrap(), output.new_rows())
    }

    const BOTH: [Format; 2] = [Format::Lines, Format::Array];

    fn whole(format: Format, ids: &[&str]) -> String {
        let rows: Vec<String> = ids.iter().map(|id| row(id)).collect();
        match format {
            Format::Lines => rows.iter().map(|row| format!("{row}\n")).collect(),
            Format::Array if rows.is_empty() => "[]\n".to_owned(),
            Format::Array => format!("[\n{}\n]\n", rows.join(",\n")),
        }
    }

    #[test]
    fn a_file_has_one_row_per_line() {
        let folder = tempfile::tempdir().unwrap();
        for format in BOTH {
            for ids in [&[][..], &["a"], &["a", "b", "c"]] {
                let path = folder.path().join(format!("{format:?}-{}", ids.len()));
                let (text, _) = export(&path, format, ExistingFile::Refuse, ids);
                assert_eq!(text, whole(format, ids));
                if format == Format::Array {
                    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
                    assert_eq!(rows.len(), ids.len());
                }
            }
        }
    }

    #[test]
    fn a_file_that_breaks_off_anywhere_is_resumed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        for format in BOTH {
            let text = whole(format, &["a", "bé", "c"]);
            for cut in 0..=text.len() {
                std::fs::write(&path, &text.as_bytes()[..cut]).unwrap();
                let (resumed, new) =
                    export(&path, format, ExistingFile::Resume, &["d", "c", "bé", "a"]);
                // Whatever was there stays in its place, and the rest comes behind it, in the new order.
                let mut ids: Vec<&str> = ["a", "bé", "c"]
                    .into_iter()
                    .take(4 - usize::try_from(new).unwrap())
                    .collect();
                for id in ["d", "c", "bé", "a"] {
                    if !ids.contains(&id) {
                        ids.push(id);
                    }
                }
                assert_eq!(resumed, whole(format, &ids), "{format:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_file_that_is_there_is_not_overwritten_unless_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        std::fs::write(&path, "precious").unwrap();
        for existing in [ExistingFile::Refuse, ExistingFile::Resume] {
            for format in BOTH {
                assert!(Output::file(&path, format, existing).is_err());
            }
        }
        // Opening it to write it anew changes nothing yet: the service may refuse.
        let mut output = Output::file(&path, Format::Lines, ExistingFile::Replace).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        output.row("a", &row("a")).unwrap();
        output.finish().unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            whole(Format::Lines, &["a"])
        );
    }

    #[test]
    fn two_exports_do_not_write_to_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let mut first = Output::file(&path, Format::Lines, ExistingFile::Resume).unwrap();
        first.row("a", &row("a")).unwrap();
        let second = Output::file(&path, Format::Lines, ExistingFile::Resume);
        assert!(matches!(second, Err(OutputError::InUse(_))), "{second:?}");
    }

    #[test]
    fn other_files_are_not_resumed() {
        let no_row = |text: &str, format| match scan(text.as_bytes(), format) {
            Err(ScanError::NoRow(line)) => line,
            other => panic!("{text}: {other:?}"),
        };
        let (a, b) = (row("a"), row("b"));
        assert_eq!(no_row(&format!("{a}\nnonsense\n{b}\n"), Format::Lines), 2);
        assert_eq!(no_row("{\"key\":\"a\"}\n", Format::Lines), 1);
        assert_eq!(no_row(&format!("{a}\n"), Format::Array), 1);
        assert_eq!(no_row("[1,2]\n", Format::Array), 1);
        assert_eq!(no_row(&format!("[\n{a}\n]\n{b}\n"), Format::Array), 4);
        assert_eq!(no_row("[]\n7\n", Format::Array), 2);
    }

    #[test]
    fn zeros_after_a_power_failure_are_cut_off() {
        let text = format!("{}\n\0\0\0\0", row("a"));
        let found = scan(text.as_bytes(), Format::Lines).unwrap();
        assert_eq!((found.rows, found.end), (1, text.len() as u64 - 4));
    }

    #[test]
    fn a_row_is_one_line_however_it_came() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let mut output = Output::file(&path, Format::Lines, ExistingFile::Refuse).unwrap();
        output
            .row("a", "{\n  \"processInstanceId\":\r\n \"a\\n\"}")
            .unwrap();
        output.finish().unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "{   \"processInstanceId\":   \"a\\n\"}\n"
        );
    }

    #[test]
    fn results_that_are_no_rows() {
        let folder = tempfile::tempdir().unwrap();
        let written = |format, value: Option<&str>| {
            let path = folder.path().join("value");
            let mut output = Output::file(&path, format, ExistingFile::Replace).unwrap();
            let value: Option<&RawValue> = value.map(|text| serde_json::from_str(text).unwrap());
            output.value(value).unwrap();
            output.finish().unwrap();
            std::fs::read_to_string(&path).unwrap()
        };
        assert_eq!(written(Format::Lines, Some("86400000.0")), "86400000.0\n");
        assert_eq!(written(Format::Array, Some("86400000.0")), "86400000.0\n");
        assert_eq!(written(Format::Lines, None), "");
        assert_eq!(written(Format::Array, None), "null\n");
        let list = r#"[{"key":"a"},{"key":"b"}]"#;
        assert_eq!(
            written(Format::Lines, Some(list)),
            "{\"key\":\"a\"}\n{\"key\":\"b\"}\n"
        );
        assert_eq!(
            written(Format::Array, Some(list)),
            "[\n{\"key\":\"a\"},\n{\"key\":\"b\"}\n]\n"
        );
        assert_eq!(written(Format::Array, Some("[]")), "[]\n");
    }

    #[test]
    fn a_compressed_file_holds_the_same_and_is_there_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        for format in BOTH {
            let path = folder.path().join("rows.gz");
            let existing = ExistingFile::Replace;
            let mut output =
                Output::compressed(&path, format, existing, Compression::Gzip).unwrap();
            assert!(!output.can_be_resumed());
            for id in ["a", "b", "a"] {
                output.row(id, &row(id)).unwrap();
            }
            output.flush().unwrap();
            assert!(format == Format::Array || !path.exists());
            output.finish().unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(output.written_bytes(), bytes.len() as u64);
            let text = io::read_to_string(flate2::read::GzDecoder::new(&bytes[..])).unwrap();
            assert_eq!(text, whole(format, &["a", "b"]));
        }
    }

    #[test]
    fn rows_are_not_replaced_by_a_result_that_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        export(&path, Format::Lines, ExistingFile::Refuse, &["a"]);
        let mut output = Output::file(&path, Format::Lines, ExistingFile::Resume).unwrap();
        let number: Box<RawValue> = serde_json::from_str("7").unwrap();
        assert!(matches!(
            output.value(Some(&number)),
            Err(OutputError::NothingToResume(_))
        ));
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            whole(Format::Lines, &["a"])
        );
    }
}
