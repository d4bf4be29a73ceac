//! Groups of repositories that share a token, where the registry grants that; otherwise each repository has its own.
//!
//! One token for each repository doubles the number of requests; one token for a thousand repositories has 85 kB and goes with every
//! request. So there are groups, bounded by number and by the length of the URL of the token request.

use std::{collections::HashMap, sync::Arc};

use crate::{image::Reference, registry::transport::request_spec::Access};

/// The most repositories that share a token.
const MAX_REPOSITORIES: usize = 16;

/// The longest URL query of all scopes of a group. Most servers refuse URLs above 8 kB.
const MAX_LENGTH: usize = 4000;

/// The groups of repositories of one registry.
#[derive(Debug, Default)]
pub struct Groups {
    /// The scopes of each repository's group.
    of: HashMap<String, Arc<[String]>>,
    refused: bool,
    /// Whether the token service knows no action `delete`.
    lacks_delete: bool,
}

impl Groups {
    /// Puts repositories without a group into groups, in order.
    pub fn plan<'a>(&mut self, repositories: impl IntoIterator<Item = &'a str>) {
        let mut group: Vec<&str> = Vec::new();
        let mut length = 0;
        for repository in repositories {
            if self.of.contains_key(repository) || group.contains(&repository) {
                continue;
            }
            let more = scope(repository).len() + "&scope=".len();
            if group.len() == MAX_REPOSITORIES || length + more > MAX_LENGTH {
                self.close(&std::mem::take(&mut group));
                length = 0;
            }
            length += more;
            group.push(repository);
        }
        self.close(&group);
    }

    fn close(&mut self, group: &[&str]) {
        let scopes: Arc<[String]> = group.iter().map(|repository| scope(repository)).collect();
        for repository in group {
            self.of
                .insert((*repository).to_owned(), Arc::clone(&scopes));
        }
    }

    /// Returns the scopes of a repository's group: only its own, if it has no group or the registry refuses groups.
    pub fn scopes(&self, repository: &str) -> Arc<[String]> {
        match self.of.get(repository).filter(|_| !self.refused) {
            Some(scopes) => Arc::clone(scopes),
            None => alone(repository),
        }
    }

    /// Records that the registry granted a scope alone that it did not grant within a group.
    pub fn refuse(&mut self) {
        self.refused = true;
    }

    /// Records that the token service knows no action `delete`, as Quay's: there, those who may push may delete.
    pub fn refuse_delete(&mut self) {
        self.lacks_delete = true;
    }

    /// Returns the scopes for writing to a repository. They are not shared: a service that grants less than requested would deny to all
    /// repositories what it denies to one.
    pub fn to_write(&self, repository: &str, access: &Access) -> Arc<[String]> {
        let both = format!("repository:{repository}:pull,push");
        match access {
            Access::Pull => alone(repository),
            // The one for pushing is the last one, because Harbor grants only the last one of each project.
            Access::PushFrom(other) if other != repository => Arc::from([scope(other), both]),
            Access::Delete if !self.lacks_delete => {
                Arc::from([format!("repository:{repository}:pull,delete")])
            }
            Access::Push | Access::PushFrom(_) | Access::Delete => Arc::from([both]),
            Access::Catalog => Arc::from(["registry:catalog:*".to_owned()]),
        }
    }
}

/// Orders the tags of a registry so that neighbours are of different groups: then all tokens are requested at once, and not one after the
/// other.
pub fn spread(tags: Vec<Reference>) -> Vec<Reference> {
    let mut place = HashMap::new();
    let mut tags: Vec<(usize, Reference)> = tags
        .into_iter()
        .map(|tag| {
            let next = place.len();
            (
                *place.entry(tag.repository().to_owned()).or_insert(next),
                tag,
            )
        })
        .collect();
    tags.sort_by_key(|(place, _)| (place % MAX_REPOSITORIES, place / MAX_REPOSITORIES));
    tags.into_iter().map(|(_, tag)| tag).collect()
}

/// Returns the scope of a repository with a token of its own; no scope for an empty name, for a request that only identifies the client.
pub fn alone(repository: &str) -> Arc<[String]> {
    match repository {
        "" => Arc::from([]),
        repository => Arc::from([scope(repository)]),
    }
}

/// Returns the scope for pulling from a repository.
fn scope(repository: &str) -> String {
    format!("repository:{repository}:pull")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn push_delete_and_catalog_requests_have_their_own_scopes() {
        let mut groups = Groups::default();
        let scopes = |access| groups.to_write("team/web", &access).to_vec();
        assert_eq!(scopes(Access::Delete), ["repository:team/web:pull,delete"]);
        assert_eq!(scopes(Access::Catalog), ["registry:catalog:*"]);
        assert_eq!(scopes(Access::Push), ["repository:team/web:pull,push"]);
        assert_eq!(
            scopes(Access::PushFrom("team/base".into())),
            ["repository:team/base:pull", "repository:team/web:pull,push"]
        );
        groups.refuse_delete();
        assert_eq!(
            groups.to_write("team/web", &Access::Delete).as_ref(),
            ["repository:team/web:pull,push"]
        );
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("base/r{n:03}")).collect()
    }

    fn planned(names: &[String]) -> Groups {
        let mut groups = Groups::default();
        groups.plan(names.iter().map(String::as_str));
        groups
    }

    #[test]
    fn sixteen_repositories_share_a_token_and_each_counts_once() {
        let mut names = names(40);
        names.push(names[0].clone());
        let groups = planned(&names);
        let sizes: Vec<usize> = [0, 15, 16, 31, 32, 39]
            .map(|n| groups.scopes(&names[n]).len())
            .into();
        assert_eq!(sizes, [16, 16, 16, 16, 8, 8]);
        assert_eq!(groups.scopes("base/r000")[15], "repository:base/r015:pull");
    }

    #[test]
    fn long_repository_names_make_smaller_token_groups() {
        let names: Vec<String> = (0..16)
            .map(|n| format!("{}/{n}", "x".repeat(700)))
            .collect();
        assert_eq!(planned(&names).scopes(&names[0]).len(), 5);
        let giant = vec!["y".repeat(5000)];
        assert_eq!(planned(&giant).scopes(&giant[0]).len(), 1);
    }

    #[test]
    fn repository_keeps_its_token_group_when_others_are_added() {
        let names = names(20);
        let mut groups = planned(&names[..3]);
        groups.plan(names.iter().map(String::as_str));
        assert_eq!(groups.scopes(&names[0]).len(), 3);
        assert_eq!(groups.scopes(&names[3]).len(), 16);
    }

    #[test]
    fn registry_that_refuses_grouped_scopes_gets_one_scope_per_token() {
        let names = names(3);
        let mut groups = planned(&names);
        groups.refuse();
        assert_eq!(
            groups.scopes(&names[0]).as_ref(),
            ["repository:base/r000:pull"]
        );
        assert_eq!(
            groups.scopes("never/planned").as_ref(),
            ["repository:never/planned:pull"]
        );
    }

    #[test]
    fn tags_of_one_token_group_are_spread_over_the_round() {
        let tags: Vec<Reference> = (0..34)
            .map(|n| format!("r.example/base/r{n:03}:1").parse().unwrap())
            .collect();
        let spread = spread(tags);
        let order: Vec<&str> = spread[..5].iter().map(Reference::repository).collect();
        assert_eq!(
            order,
            [
                "base/r000",
                "base/r016",
                "base/r032",
                "base/r001",
                "base/r017"
            ]
        );
        assert_eq!(spread.len(), 34);
    }
}
