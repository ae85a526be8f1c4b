//! A log file that begins anew when it has grown enough, as Admiral's does.
//!
//! Invariant: a line is never cut in two by that, and a failure to move old files aside loses no line: the file
//! then goes on growing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Old files that are kept: `FILE.1`, the latest, to `FILE.10`.
const KEPT: u32 = 10;

/// The open file.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    size_bytes: u64,
    most_bytes: u64,
}

impl LogFile {
    /// Opens `path`, behind what it holds already, and makes its directory where there is none. From
    /// `most_bytes` on (0 means never) a new file is begun.
    ///
    /// # Errors
    /// When the directory cannot be made or the file not be written.
    pub fn open(path: &Path, most_bytes: u64) -> io::Result<Self> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            fs::create_dir_all(directory)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size_bytes, most_bytes })
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        for n in (1..KEPT).rev() {
            match fs::rename(self.old(n), self.old(n + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, self.old(1))?;
        *self = Self::open(&self.path, self.most_bytes)?;
        Ok(())
    }

    fn old(&self, n: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{n}"));
        name.into()
    }
}

impl Write for LogFile {
    /// Takes a whole line at once, as the logger gives it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let size_bytes = self.size_bytes.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        if self.most_bytes > 0 && self.size_bytes > 0 && size_bytes > self.most_bytes {
            // Better a file that is too long than no log.
            let _ = self.begin_anew();
        }
        self.file.write_all(line)?;
        self.size_bytes = self.size_bytes.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_old_files_are_kept_and_no_line_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logs/flagship.log");
        let mut log = LogFile::open(&path, 25).unwrap();
        for n in 100..130 {
            log.write_all(format!("line {n}..\n").as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(directory.path().join("logs").join(name)).unwrap();
        assert_eq!(read("flagship.log"), "line 128..\nline 129..\n");
        assert_eq!(read("flagship.log.1"), "line 126..\nline 127..\n");
        assert_eq!(read("flagship.log.10"), "line 108..\nline 109..\n");
        assert!(!path.with_extension("log.11").exists());
        drop(log);
        // A restart goes on where the last one stopped.
        let mut log = LogFile::open(&path, 25).unwrap();
        log.write_all(b"after\n").unwrap();
        assert_eq!(
            (read("flagship.log").as_str(), read("flagship.log.2").as_str()),
            ("after\n", "line 126..\nline 127..\n")
        );
        let mut endless = LogFile::open(&directory.path().join("endless"), 0).unwrap();
        endless.write_all(&[b'x'; 100]).unwrap();
        endless.write_all(&[b'x'; 100]).unwrap();
        assert_eq!(fs::metadata(directory.path().join("endless")).unwrap().len(), 200);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(LogFile::open(&file.path().join("below/a-file.log"), 1).is_err());
        assert!(LogFile::open(Path::new("/"), 1).is_err());
    }
}
