//! Blobs that a registry mounts from another of its repositories, by the records of earlier copies.

use std::cell::RefCell;

use acrt::{
    image::{Digest, Reference},
    registry::{
        Registries,
        copy::{Amount, CopyMemory, CopyRequest, ImagePlace, RepositoryBlobs},
    },
};

use super::{
    distribution::{Access, Distribution},
    scripted::{Answer, Scripted},
    settings::{anonymous, reference},
    token_service::{Rules, TokenService},
};

/// A layer large enough for a search.
const LARGE: usize = 1 << 20;

/// The records of earlier copies in a test, and the updates to them.
#[derive(Default)]
struct Memory {
    repositories: Vec<(&'static str, Vec<Digest>)>,
    images: Vec<Reference>,
    /// The registries whose records were requested.
    asked: RefCell<Vec<String>>,
    learnt: RefCell<Vec<(RepositoryBlobs, Vec<RepositoryBlobs>)>>,
}

impl Memory {
    /// Records of one repository with these blobs.
    fn of(repository: &'static str, blobs: &[&[u8]]) -> Self {
        let blobs = blobs.iter().map(|blob| Digest::of(blob)).collect();
        Self {
            repositories: vec![(repository, blobs)],
            ..Self::default()
        }
    }
}

impl CopyMemory for Memory {
    fn repositories(&self, registry: &str) -> Vec<RepositoryBlobs> {
        self.asked.borrow_mut().push(registry.to_owned());
        let all = self.repositories.iter();
        all.map(|(repository, blobs)| known(repository, blobs))
            .collect()
    }

    fn images(&self, registry: &str) -> Vec<Reference> {
        self.asked.borrow_mut().push(registry.to_owned());
        self.images.clone()
    }

    fn learn(&self, _: &str, has: RepositoryBlobs, lacks: &[RepositoryBlobs]) {
        self.learnt.borrow_mut().push((has, lacks.to_vec()));
    }
}

fn known(repository: &str, blobs: &[Digest]) -> RepositoryBlobs {
    RepositoryBlobs {
        repository: repository.to_owned(),
        blobs: blobs.to_vec(),
    }
}

/// Copies `base:1` of one registry as `to:1` into another.
async fn copy(
    registries: &Registries,
    (from, target): (&Distribution, String),
    memory: &Memory,
) -> Amount {
    let request = CopyRequest {
        from: ImagePlace::Registry(reference(&from.image("base:1"))),
        to: ImagePlace::Registry(reference(&target)),
        tags: vec!["1".to_owned()],
        platforms: Vec::new(),
        all_referrers: false,
        force: false,
    };
    let copied = registries.copy(&request, &|_| {}, memory).await;
    copied.unwrap().amount
}

/// Returns the requests about a blob: those that name it, and those that start an upload without a name.
fn about(requests: &[String], blob: &[u8]) -> Vec<String> {
    let digest = Digest::of(blob);
    let (plain, escaped) = (digest.to_string(), digest.to_string().replace(':', "%3A"));
    let all = requests.iter().cloned();
    all.filter(|it| it.contains(&plain) || it.contains(&escaped))
        .collect()
}

#[tokio::test]
async fn blob_known_in_another_repository_is_mounted_with_one_request() {
    let (source, target) = (Distribution::start(), Distribution::start());
    let image = source.layered("base", "x", &[b"shared", b"own"]).await;
    source.put("base", "1", &image).await;
    target.upload("team/other", b"shared").await;
    let memory = Memory::of("team/other", &[b"shared"]);
    let amount = copy(&anonymous(), (&source, target.image("web:1")), &memory).await;
    assert_eq!((amount.mounted, amount.sent), (1, 2));
    let asked = about(&target.requests().await, b"shared");
    let digest = Digest::of(b"shared").to_string().replace(':', "%3A");
    let mount = format!("POST /v2/web/blobs/uploads/?mount={digest}&from=team%2Fother 201");
    assert_eq!(asked, [mount]);
    assert_eq!(about(&source.requests().await, b"shared"), [""; 0]);
    // Only the records of the target registry are requested, and all of its blobs are recorded.
    assert_eq!(*memory.asked.borrow(), [target.host()]);
    let learnt = memory.learnt.borrow();
    let [(has, lacks)] = learnt.as_slice() else {
        panic!("{learnt:?}");
    };
    assert_eq!((has.repository.as_str(), has.blobs.len()), ("web", 3));
    assert!(lacks.is_empty());
}

#[tokio::test]
async fn failed_mount_continues_as_an_upload_and_is_recorded() {
    let (source, target) = (Distribution::start(), Distribution::start());
    let image = source.layered("base", "x", &[b"layer", b"there"]).await;
    source.put("base", "1", &image).await;
    target.upload("web", b"there").await;
    let memory = Memory::of("gone", &[b"layer", b"there"]);
    let amount = copy(&anonymous(), (&source, target.image("web:1")), &memory).await;
    assert_eq!((amount.mounted, amount.sent, amount.present), (0, 2, 1));
    let asked = about(&target.requests().await, b"layer");
    let methods: Vec<&str> = asked.iter().filter_map(|it| it.split(' ').next()).collect();
    assert_eq!(methods, ["POST", "HEAD", "PUT"], "{asked:?}");
    let (_, mut lacks) = memory.learnt.borrow()[0].clone();
    lacks.sort_by(|a, b| a.blobs.cmp(&b.blobs));
    let mut expected = [b"layer".as_slice(), b"there"].map(|it| known("gone", &[Digest::of(it)]));
    expected.sort_by(|a, b| a.blobs.cmp(&b.blobs));
    assert_eq!(lacks, expected);
}

#[tokio::test]
async fn blob_known_in_the_target_repository_is_not_mounted() {
    let (source, target) = (Distribution::start(), Distribution::start());
    let image = source.layered("base", "x", &[b"layer"]).await;
    source.put("base", "1", &image).await;
    target.upload("web", b"layer").await;
    let mut memory = Memory::of("web", &[b"layer"]);
    memory
        .repositories
        .push(("other", vec![Digest::of(b"layer")]));
    let amount = copy(&anonymous(), (&source, target.image("web:1")), &memory).await;
    assert_eq!((amount.mounted, amount.present), (0, 1));
}

#[tokio::test]
async fn large_layer_is_mounted_from_known_images_of_the_same_registry() {
    let (source, target) = (Distribution::start(), Distribution::start());
    let layer = vec![7; LARGE];
    let image = source.layered("base", "x", &[&layer, b"small"]).await;
    source.put("base", "1", &image).await;
    let built = target.layered("web", "built", &[&layer, b"small"]).await;
    let foreign = Scripted::start(|_, _| Answer::status(404));
    let images = [
        foreign.image(&format!("secret@{}", built.digest())),
        target.image(&format!("gone@{}", Digest::of(b"gone"))),
        target.image(&format!("web@{}", built.digest())),
    ];
    let memory = Memory {
        images: images.iter().map(|image| reference(image)).collect(),
        ..Memory::default()
    };
    let amount = copy(&anonymous(), (&source, target.image("copy:1")), &memory).await;
    assert_eq!((amount.mounted, amount.sent), (1, 2));
    assert_eq!(foreign.requests(), [""; 0]);
    let asked = target.requests().await;
    assert!(asked.iter().all(|it| !it.contains("secret")), "{asked:?}");
}

/// A target that grants tokens by `rules`, with `shared` in the repository `other`; returns the result of a copy to it.
async fn with_tokens(rules: Rules) -> (Amount, TokenService) {
    let service = TokenService::start(rules);
    let access = Access::Token {
        realm: service.realm(),
        certificate: service.certificate(),
    };
    let target = Distribution::with(access).upload_with(service.token_for(&["other"]));
    target.upload("other", b"shared").await;
    let source = Distribution::start();
    let image = source.layered("base", "x", &[b"shared"]).await;
    source.put("base", "1", &image).await;
    let memory = Memory::of("other", &[b"shared"]);
    let amount = copy(&anonymous(), (&source, target.image("web:1")), &memory).await;
    (amount, service)
}

#[tokio::test]
async fn one_token_has_pull_scope_of_the_mount_source_and_push_scope_of_the_target() {
    let (amount, service) = with_tokens(Rules::default()).await;
    assert_eq!((amount.mounted, amount.sent), (1, 1));
    let both = ["repository:other:pull", "repository:web:pull,push"];
    let scopes = service.scopes();
    assert!(scopes.iter().any(|asked| *asked == both), "{scopes:?}");
    // No requested scope allows pushing to the other repository.
    let mut all = scopes.iter().flatten();
    assert!(all.all(|scope| !scope.starts_with("repository:other:") || scope.ends_with(":pull")));
}

#[tokio::test]
async fn blob_of_a_repository_without_pull_permission_is_sent() {
    let denied = Rules {
        denied: vec!["other"],
        ..Rules::default()
    };
    let refused = Rules {
        one_scope: true,
        ..Rules::default()
    };
    for rules in [denied, refused] {
        let (amount, service) = with_tokens(rules).await;
        assert_eq!(
            (amount.mounted, amount.sent),
            (0, 2),
            "{:?}",
            service.scopes()
        );
    }
}
