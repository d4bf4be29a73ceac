//! The names in an archive as a tree: which nodes there are, and where the links among them lead. Nothing is read or written.
//!
//! A name means what it would mean in a folder without other files: links are followed, and a path that would leave the folder is an error
//! whatever the cause: `..`, a link with an absolute target, or a chain of links of which each looks harmless.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Component, Path, PathBuf},
};

/// The most links that one name may lead through. Linux gives up at forty; a system that gives up later must not find a way out either.
const MAX_LINKS: usize = 255;

/// The deepest nesting of folders.
const MAX_DEPTH: usize = 255;

/// The most steps to resolve all names of a tree together: links can make that any number.
const MAX_STEPS: u64 = 100_000_000;

/// The most bytes in all names and targets together.
const MAX_NAMES: usize = 64 * 1024 * 1024;

/// The number of the root.
pub const ROOT: usize = 0;

/// The nodes of a folder. Each has a number, higher than that of the folder that it is in.
#[derive(Debug)]
pub struct Tree {
    things: Vec<TreeNode>,
    steps: u64,
    names: usize,
}

#[derive(Debug)]
struct TreeNode {
    parent: usize,
    name: OsString,
    depth: usize,
    kind: NodeKind,
}

#[derive(Debug)]
pub enum NodeKind {
    Folder(BTreeMap<OsString, usize>),
    File,
    /// A symbolic link, with its target as written.
    Link(PathBuf),
    /// Replaced by another node of the same name.
    Gone,
}

/// Why a node cannot be at the path of its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path leaves the root.
    #[error("lies outside of the archive")]
    Outside,
    /// The link leads out of the root.
    #[error("is a link that leads out of the archive")]
    LeadsOut,
    /// A file is where a folder would have to be.
    #[error("lies in `{0}`, which is no folder")]
    InNoFolder(PathBuf),
    /// A folder has the name already.
    #[error("would take the place of a folder")]
    IsFolder,
    /// The target of a hard link does not exist.
    #[error("is a link to `{0}`, which is no file that came before it")]
    NoTarget(PathBuf),
    /// Links lead to links without end.
    #[error("is reached by too many links")]
    TooManyLinks,
    #[error("lies deeper than {MAX_DEPTH} folders")]
    TooDeep,
    #[error("cannot be followed: the links form a cycle")]
    TooMuch,
    #[error("is one name more than an archive may have: 64 MiB of them in all")]
    TooLong,
}

/// Whether a link at the end of a path is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FinalLink {
    Follow,
    Leave,
}

/// The place that a path leads to.
struct EntryPlace {
    folder: usize,
    /// The name in the folder; `None` for the folder itself.
    name: Option<OsString>,
}

impl Default for Tree {
    /// An empty folder.
    fn default() -> Self {
        let root = TreeNode {
            parent: ROOT,
            name: OsString::new(),
            depth: 0,
            kind: NodeKind::Folder(BTreeMap::new()),
        };
        Self {
            things: vec![root],
            steps: 0,
            names: 0,
        }
    }
}

impl Tree {
    /// Returns the number of nodes, with the root and with those that were replaced.
    pub fn len(&self) -> usize {
        self.things.len()
    }

    /// Returns the kind of a node.
    pub fn kind(&self, thing: usize) -> &NodeKind {
        self.things
            .get(thing)
            .map_or(&NodeKind::Gone, |thing| &thing.kind)
    }

    /// Returns the path from the root to a node; no link is on it.
    pub fn path(&self, thing: usize) -> PathBuf {
        let mut names = Vec::new();
        let mut at = thing;
        while let Some(thing) = self.things.get(at).filter(|_| at != ROOT) {
            names.push(&thing.name);
            at = thing.parent;
        }
        names.iter().rev().collect()
    }

    /// Adds a folder at `path`, with its parents. An existing folder stays, with its contents.
    pub fn folder(&mut self, path: &Path) -> Result<usize, PathError> {
        let place = self.place(path)?;
        let Some(name) = place.name else {
            return Ok(place.folder);
        };
        match self.child(place.folder, &name) {
            Some(thing) if matches!(self.kind(thing), NodeKind::Folder(_)) => Ok(thing),
            Some(thing) if matches!(self.kind(thing), NodeKind::File) => {
                Err(PathError::InNoFolder(self.path(thing)))
            }
            _ => self.put(place.folder, name, NodeKind::Folder(BTreeMap::new())),
        }
    }

    /// Adds a file at `path`. Returns its number, and that of the file or link that it replaces, if there was one.
    pub fn file(&mut self, path: &Path) -> Result<(usize, Option<usize>), PathError> {
        self.leaf(path, NodeKind::File)
    }

    /// Adds a symbolic link at `path`. [`Self::check_links`] finds out where it leads, when the tree is complete.
    pub fn link(
        &mut self,
        path: &Path,
        target: &Path,
    ) -> Result<(usize, Option<usize>), PathError> {
        self.count(target.as_os_str())?;
        self.leaf(path, NodeKind::Link(target.to_owned()))
    }

    /// Returns the file or link that a hard link points to; `target` is a path from the root.
    ///
    /// # Errors
    ///
    /// [`Misplaced::LeadsOut`], or [`Misplaced::NoTarget`] where the target is a folder or does not exist.
    pub fn hard_target(&mut self, target: &Path) -> Result<usize, PathError> {
        let missing = || PathError::NoTarget(target.to_owned());
        let place = match self.walk(ROOT, target, FinalLink::Leave, false) {
            Err(PathError::Outside) => return Err(PathError::LeadsOut),
            walked => walked?.ok_or_else(missing)?,
        };
        let name = place.name.ok_or_else(missing)?;
        match self.child(place.folder, &name) {
            Some(thing) if matches!(self.kind(thing), NodeKind::File | NodeKind::Link(_)) => {
                Ok(thing)
            }
            _ => Err(missing()),
        }
    }

    /// Finds a link that would lead out of the root once the whole tree is in a folder.
    ///
    /// # Errors
    ///
    /// The link, and why it is refused.
    pub fn check_links(&mut self) -> Result<(), (usize, PathError)> {
        for thing in 0..self.things.len() {
            let NodeKind::Link(target) = self.kind(thing) else {
                continue;
            };
            let (folder, target) = (self.things[thing].parent, target.clone());
            match self.walk(folder, &target, FinalLink::Follow, false) {
                Err(PathError::Outside) => return Err((thing, PathError::LeadsOut)),
                Err(PathError::TooMuch) => return Err((thing, PathError::TooMuch)),
                // The target does not exist, or the links form a circle: the link does not lead out.
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the place that a path from the root leads to, and makes all folders on the path.
    fn place(&mut self, path: &Path) -> Result<EntryPlace, PathError> {
        self.count(path.as_os_str())?;
        let place = self.walk(ROOT, path, FinalLink::Leave, true)?;
        place.ok_or(PathError::Outside)
    }

    fn count(&mut self, name: &OsStr) -> Result<(), PathError> {
        self.names = self.names.saturating_add(name.len());
        if self.names > MAX_NAMES {
            Err(PathError::TooLong)
        } else {
            Ok(())
        }
    }

    fn leaf(&mut self, path: &Path, kind: NodeKind) -> Result<(usize, Option<usize>), PathError> {
        let place = self.place(path)?;
        let name = place.name.ok_or(PathError::IsFolder)?;
        let before = self.child(place.folder, &name);
        if before.is_some_and(|thing| matches!(self.kind(thing), NodeKind::Folder(_))) {
            return Err(PathError::IsFolder);
        }
        Ok((self.put(place.folder, name, kind)?, before))
    }

    fn child(&self, folder: usize, name: &OsStr) -> Option<usize> {
        match self.kind(folder) {
            NodeKind::Folder(names) => names.get(name).copied(),
            _ => None,
        }
    }

    /// Adds a node under a name in a folder. An earlier node of that name is replaced.
    fn put(&mut self, folder: usize, name: OsString, kind: NodeKind) -> Result<usize, PathError> {
        let depth = self.things.get(folder).map_or(0, |it| it.depth) + 1;
        if depth > MAX_DEPTH {
            return Err(PathError::TooDeep);
        }
        let new = self.things.len();
        let before = match self.things.get_mut(folder).map(|it| &mut it.kind) {
            Some(NodeKind::Folder(names)) => names.insert(name.clone(), new),
            _ => None,
        };
        if let Some(before) = before.and_then(|it| self.things.get_mut(it)) {
            before.kind = NodeKind::Gone;
        }
        self.things.push(TreeNode {
            parent: folder,
            name,
            depth,
            kind,
        });
        Ok(new)
    }

    /// Resolves a path as the kernel would. With `makes`, missing folders are made; without it, missing parts are resolved by their text,
    /// and the result is no node.
    fn walk(
        &mut self,
        from: usize,
        path: &Path,
        last: FinalLink,
        makes: bool,
    ) -> Result<Option<EntryPlace>, PathError> {
        let mut folder = from;
        // The number of components below the last existing folder.
        let mut missing = 0_usize;
        let mut links = 0;
        let mut ahead: Vec<PathComponent> = Vec::new();
        push(&mut ahead, path);
        while let Some(part) = ahead.pop() {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Err(PathError::TooMuch);
            }
            let name = match part {
                PathComponent::Root => return Err(PathError::Outside),
                PathComponent::Up if missing > 0 => {
                    missing -= 1;
                    continue;
                }
                PathComponent::Up if folder == ROOT => return Err(PathError::Outside),
                PathComponent::Up => {
                    folder = self.things.get(folder).map_or(ROOT, |it| it.parent);
                    continue;
                }
                PathComponent::Down(_) if missing > 0 => {
                    missing += 1;
                    continue;
                }
                PathComponent::Down(name) => name,
            };
            let found = self.child(folder, &name);
            match found.map(|thing| (thing, self.kind(thing))) {
                Some((thing, NodeKind::Folder(_))) => folder = thing,
                Some((_, NodeKind::Link(target)))
                    if last == FinalLink::Follow || !ahead.is_empty() =>
                {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(PathError::TooManyLinks);
                    }
                    let target = target.clone();
                    push(&mut ahead, &target);
                }
                _ if ahead.is_empty() => {
                    let name = Some(name);
                    return Ok(Some(EntryPlace { folder, name }));
                }
                Some((thing, _)) => return Err(PathError::InNoFolder(self.path(thing))),
                None if makes => {
                    folder = self.put(folder, name, NodeKind::Folder(BTreeMap::new()))?;
                }
                None => missing = 1,
            }
        }
        Ok((missing == 0).then_some(EntryPlace { folder, name: None }))
    }
}

/// A component of a path.
enum PathComponent {
    Root,
    Up,
    Down(OsString),
}

/// Puts a path before the components that are still ahead.
fn push(ahead: &mut Vec<PathComponent>, path: &Path) {
    let parts = path.components().rev();
    ahead.extend(parts.filter_map(|part| match part {
        Component::Normal(name) => Some(PathComponent::Down(name.to_owned())),
        Component::ParentDir => Some(PathComponent::Up),
        Component::CurDir => None,
        Component::RootDir | Component::Prefix(_) => Some(PathComponent::Root),
    }));
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use proptest::prelude::*;

    use super::*;

    fn tree(links: &[(&str, &str)], folders: &[&str]) -> Tree {
        let mut tree = Tree::default();
        for folder in folders {
            tree.folder(Path::new(folder)).unwrap();
        }
        for (path, target) in links {
            tree.link(Path::new(path), Path::new(target)).unwrap();
        }
        tree
    }

    fn leads_out(links: &[(&str, &str)], folders: &[&str]) -> bool {
        let mut tree = tree(links, folders);
        match tree.check_links() {
            Ok(()) => false,
            Err((_, why)) => {
                assert_eq!(why, PathError::LeadsOut);
                true
            }
        }
    }

    #[test]
    fn links_are_judged_by_their_resolved_target() {
        for links in [
            &[("a", "..")][..],
            &[("a", "/etc/passwd")],
            &[("d/a", "../../x")],
            // Each looks as if it went down first.
            &[("s", "."), ("a", "s/s/../..")],
            &[("a", "b"), ("b", "c"), ("c", "..")],
            &[("a", "d/up/.."), ("d/up", "..")],
            &[("a", "nothing/../../x")],
            &[("a", "b/x"), ("b", "/tmp")],
        ] {
            assert!(leads_out(links, &["d"]), "{links:?}");
        }
        for links in [
            &[("a", "d/..")][..],
            &[("a", "x/../y")],
            &[("a", "a")],
            &[("a", "b"), ("b", "a")],
            &[("d/e/a", "../../d")],
            // By its text alone it would lead out.
            &[("deep", "d/e/f"), ("a", "deep/../../x")],
            &[("a", "nothing/at/all/../../x")],
        ] {
            assert!(!leads_out(links, &["d/e/f"]), "{links:?}");
        }
    }

    #[test]
    fn paths_are_resolved_through_inner_links_and_never_outside() {
        let mut tree = tree(
            &[("s", "d/e"), ("out", "d/../.."), ("far", "/tmp")],
            &["d/e"],
        );
        let (file, before) = tree.file(Path::new("s/x")).unwrap();
        assert_eq!((tree.path(file), before), (PathBuf::from("d/e/x"), None));
        let (again, before) = tree.file(Path::new("d/e/x")).unwrap();
        assert_eq!(
            (tree.path(again), before),
            (PathBuf::from("d/e/x"), Some(file))
        );
        assert!(matches!(tree.kind(file), NodeKind::Gone));
        for path in ["out/x", "far/x", "../x", "/x", "d/../../x"] {
            assert_eq!(
                tree.file(Path::new(path)),
                Err(PathError::Outside),
                "{path}"
            );
        }
        assert_eq!(
            tree.file(Path::new("s/x/y")),
            Err(PathError::InNoFolder("d/e/x".into()))
        );
        assert_eq!(tree.file(Path::new("d")), Err(PathError::IsFolder));
    }

    #[test]
    fn hard_link_target_must_precede_it() {
        let mut tree = tree(&[("s", "d"), ("up", "..")], &["d"]);
        let (file, _) = tree.file(Path::new("d/x")).unwrap();
        assert_eq!(tree.hard_target(Path::new("s/x")), Ok(file));
        assert_eq!(
            tree.hard_target(Path::new("up/x")),
            Err(PathError::LeadsOut)
        );
        assert_eq!(
            tree.hard_target(Path::new("/d/x")),
            Err(PathError::LeadsOut)
        );
        for path in ["d", "d/y", "y/z"] {
            let missing = PathError::NoTarget(path.into());
            assert_eq!(tree.hard_target(Path::new(path)), Err(missing));
        }
    }

    #[test]
    fn too_deep_paths_and_too_many_links_are_refused() {
        let deep: PathBuf = std::iter::repeat_n("a", MAX_DEPTH + 1).collect();
        assert_eq!(Tree::default().folder(&deep), Err(PathError::TooDeep));
        let mut tree = Tree::default();
        tree.link(Path::new("a"), Path::new("a/a/a/a")).unwrap();
        assert_eq!(tree.file(Path::new("a/x")), Err(PathError::TooManyLinks));
        assert_eq!(tree.check_links(), Ok(()));
        // Each link is as long as a link may be, and there are many.
        let long: PathBuf = std::iter::repeat_n("s/..", 1000).collect();
        let mut tree = Tree::default();
        tree.folder(Path::new("d")).unwrap();
        tree.link(Path::new("s"), Path::new("d")).unwrap();
        for n in 0..1000 {
            tree.link(Path::new(&format!("l{n}")), &long).unwrap();
        }
        tree.steps = MAX_STEPS - 100_000;
        assert!(matches!(tree.check_links(), Err((_, PathError::TooMuch))));
    }

    /// A name of few letters, so that names collide.
    fn name() -> impl Strategy<Value = String> {
        let part = prop_oneof![4 => "[ab]", 2 => Just("..".to_owned()), 1 => Just(".".to_owned())];
        proptest::collection::vec(part, 1..5).prop_map(|parts| parts.join("/"))
    }

    proptest! {
        /// The kernel decides: with all links in a folder, none that the tree accepts leads out of it.
        #[test]
        fn accepted_path_never_leaves_the_folder(
            things in proptest::collection::vec((name(), proptest::option::of(name())), 1..12)
        ) {
            let outside = crate::source::times::quick_folder();
            let root = outside.path().join("a/b/root");
            fs::create_dir_all(&root).unwrap();
            let mut tree = Tree::default();
            for (path, target) in &things {
                let path = Path::new(path);
                let _ = match target {
                    None => tree.folder(path).map(drop),
                    Some(target) => tree.link(path, Path::new(target)).map(drop),
                };
            }
            if tree.check_links().is_err() {
                return Ok(());
            }
            for thing in 1..tree.len() {
                let path = root.join(tree.path(thing));
                match tree.kind(thing) {
                    NodeKind::Folder(_) => fs::create_dir(&path).unwrap(),
                    NodeKind::Link(target) => symlink(target, &path).unwrap(),
                    _ => {}
                }
            }
            let real = root.canonicalize().unwrap();
            for thing in 1..tree.len() {
                if let NodeKind::Link(_) = tree.kind(thing)
                    && let Ok(end) = root.join(tree.path(thing)).canonicalize()
                {
                    prop_assert!(end.starts_with(&real), "{} leads to {}", tree.path(thing).display(), end.display());
                }
            }
        }
    }
}
