//! Files whose content can be found out again: a broken one is set aside and does not stop acrt.

use std::path::Path;

use jiff::Timestamp;

use crate::error::Result;

use super::file;

/// The content of a file that can be found out again.
#[derive(Debug, PartialEq, Eq)]
pub struct ReadResult<T> {
    /// The content; the default, where the file is missing or broken.
    pub value: T,
    /// A message for people: that the file is broken, why, and where it is now.
    pub problem: Option<String>,
}

/// Reads a file with `read`. A broken file is set aside, whatever is wrong with it, so that a new one can take its place.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where this process cannot read the file at the moment.
pub(super) fn recall<T: Default>(
    path: &Path,
    now: Timestamp,
    read: impl FnOnce(&Path) -> Result<Option<T>>,
) -> Result<ReadResult<T>> {
    let error = match read(path) {
        Ok(value) => {
            return Ok(ReadResult {
                value: value.unwrap_or_default(),
                problem: None,
            });
        }
        Err(error) if file::is_transient(&error) => return Err(error),
        Err(error) => error.one_line(),
    };
    let problem = match file::set_aside(path, now) {
        Ok(copy) => {
            let copy = copy.display();
            format!("{error}; it is now `{copy}`, and what it held is looked up again")
        }
        Err(why) => format!("{error}; it is ignored, and stays where it is: {why}"),
    };
    Ok(ReadResult {
        value: T::default(),
        problem: Some(problem),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(path: &Path) -> Result<ReadResult<Vec<u8>>> {
        recall(path, Timestamp::UNIX_EPOCH, file::read_json)
    }

    #[test]
    fn missing_state_file_is_no_problem() {
        let folder = tempfile::tempdir().unwrap();
        let read = read(&folder.path().join("x.json")).unwrap();
        assert_eq!((read.value, read.problem), (Vec::new(), None));
    }

    #[test]
    fn broken_state_file_or_folder_in_its_place_is_set_aside_and_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        let copy = folder.path().join("x.json.broken-19700101T000000Z");
        let make: [&dyn Fn(); 2] = [&|| fs::write(&path, "[1,").unwrap(), &|| {
            fs::create_dir_all(path.join("a/b")).unwrap();
        }];
        for make in make {
            make();
            let problem = read(&path).unwrap().problem.unwrap();
            assert!(problem.contains(copy.to_str().unwrap()), "{problem}");
            assert!(copy.exists() && !path.exists());
            assert_eq!(read(&path).unwrap().problem, None);
        }
        assert!(copy.join("a/b").exists());
    }
}
