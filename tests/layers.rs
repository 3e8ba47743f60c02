//! Layers look down only: no module of a crate asks one that asks it, and what is pure depends on nothing that is not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect, in its helpers too"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Whose modules are looked at, by the folder of the crate.
const CRATES: [&str; 6] = [
    ".",
    "crates/cluster",
    "crates/optimize",
    "crates/testkit",
    "crates/utf16",
    "xtask",
];

/// What reaches a network, a runtime or the cluster. Whatever depends on such a crate is not pure.
const IMPURE: [&str; 13] = [
    "async-std",
    "cluster",
    "elasticsearch",
    "futures-core",
    "hyper",
    "mio",
    "object_store",
    "reqwest",
    "rustls",
    "socket2",
    "tokio",
    "ureq",
    "warp",
];

/// Top modules, with the top modules that each of them names.
type Graph = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_modules_of_a_crate_ask_each_other_in_a_circle() {
    for folder in CRATES {
        let graph = graph_of(&Path::new(ROOT).join(folder).join("src"));
        assert!(graph.len() > 1 || folder == "crates/utf16", "{folder}");
        assert_eq!(circle(&graph), None, "{folder}");
    }
}

#[test]
fn a_circle_is_found_and_named() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, to) in edges {
            let from = graph.entry((*from).to_owned()).or_default();
            from.insert((*to).to_owned());
        }
        graph
    };
    assert_eq!(circle(&graph(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    assert_eq!(
        circle(&graph(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")])),
        Some("b -> c -> d -> b".to_owned())
    );
}

#[test]
fn every_way_to_name_a_module_counts_but_for_tests_and_comments() {
    let source = r#"
        //! [`crate::comment`]
        use crate::plain::Thing;
        use crate::{several::{self, Deep}, at::once};
        use super::above::Thing;
        use self::inner;
        fn body(x: crate::in_code::Type) { macro_call!(crate::in_macro::path()); "crate::text"; }
        mod inline { use super::super::outside; use super::sibling; }
        #[cfg(test)]
        use crate::for_tests;
        #[cfg(test)]
        mod tests { use crate::in_tests; use super::super::in_tests_too; }
        #[cfg(feature = "x")]
        use crate::with_feature;
    "#;
    let mut found = BTreeSet::new();
    names(source.parse().unwrap(), 1, &mut found);
    let expected = [
        "above",
        "at",
        "in_code",
        "in_macro",
        "outside",
        "plain",
        "several",
        "with_feature",
    ];
    assert_eq!(
        found.iter().map(String::as_str).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn what_optimize_means_needs_no_network_no_runtime_and_no_clock() {
    for package in ["optimize", "utf16"] {
        let dependencies = dependencies_of(package);
        let impure: Vec<_> = IMPURE
            .iter()
            .filter(|name| dependencies.contains_key(**name))
            .collect();
        assert!(impure.is_empty(), "{package} depends on {impure:?}");
    }
    // `now()` is behind this feature.
    let features = dependencies_of("optimize").remove("jiff").unwrap();
    assert!(!features.contains("std"), "jiff has a clock: {features:?}");
}

#[test]
fn the_cluster_knows_nothing_of_optimize() {
    let dependencies = dependencies_of("cluster");
    assert!(dependencies.contains_key("elasticsearch"));
    assert!(!dependencies.contains_key("optimize"));
}

/// What a package is built of, itself left out, with the features of each.
fn dependencies_of(package: &str) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .current_dir(ROOT)
        .args(["tree", "--locked", "--package", package])
        .args(["--edges", "normal", "--prefix", "none", "--no-dedupe"])
        .args(["--format", "{p}|{f}"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line = |line: &str| {
        let (dependency, features) = line.split_once('|').unwrap();
        let name = dependency.split(' ').next().unwrap();
        let features = features.split(',').map(str::to_owned).collect();
        (name.to_owned(), features)
    };
    text.lines().skip(1).map(line).collect()
}

/// The top modules of the library whose sources are in this folder.
fn graph_of(folder: &Path) -> Graph {
    let root = tokens_of(&folder.join("lib.rs"));
    let top = modules(&root);
    let reexported = reexports(&root, &top);
    let mut graph = Graph::new();
    for module in &top {
        let mut named = BTreeSet::new();
        collect(folder, module, 1, &mut named);
        let asked = named
            .into_iter()
            .filter_map(|name| match reexported.get(&name) {
                Some(module) => Some(module.clone()),
                None => top.contains(&name).then_some(name),
            })
            .filter(|asked| asked != module);
        graph.insert(module.clone(), asked.collect());
    }
    graph
}

/// Everything of the root of the crate that a module and those below it name.
fn collect(folder: &Path, module: &str, depth: usize, named: &mut BTreeSet<String>) {
    let tokens = tokens_of(&file_of(folder, module));
    for below in modules(&tokens) {
        collect(&folder.join(module), &below, depth + 1, named);
    }
    names(tokens, depth, named);
}

fn file_of(folder: &Path, module: &str) -> PathBuf {
    folder.join(format!("{module}.rs"))
}

fn tokens_of(file: &Path) -> TokenStream {
    let source = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    source.parse().unwrap()
}

/// The modules that have a file of their own, those for tests left out.
fn modules(tokens: &TokenStream) -> BTreeSet<String> {
    let tokens = without_tests(tokens.clone());
    let declared = tokens.windows(3).filter_map(|tokens| match tokens {
        [
            TokenTree::Ident(word),
            TokenTree::Ident(name),
            TokenTree::Punct(end),
        ] if word == "mod" && end.as_char() == ';' => Some(name.to_string()),
        _ => None,
    });
    declared.collect()
}

/// What the root of a crate calls by another name than its module.
fn reexports(root: &TokenStream, top: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let tokens = without_tests(root.clone());
    for item in tokens.split(|token| is_punct(token, ';')) {
        let words: Vec<String> = flat(item)
            .skip_while(|word| word != "use")
            .skip(1)
            .collect();
        if let Some((module, names)) = words.split_first()
            && top.contains(module)
        {
            found.extend(names.iter().map(|name| (name.clone(), module.clone())));
        }
    }
    found
}

/// All identifiers, also those in brackets.
fn flat(tokens: &[TokenTree]) -> Box<dyn Iterator<Item = String> + '_> {
    Box::new(tokens.iter().flat_map(|token| match token {
        TokenTree::Ident(word) => vec![word.to_string()],
        TokenTree::Group(group) => flat(&group.stream().into_iter().collect::<Vec<_>>()).collect(),
        _ => Vec::new(),
    }))
}

/// What stands behind `crate::`, and behind as many `super::` as lead to the root of the crate from this depth.
fn names(tokens: TokenStream, depth: usize, named: &mut BTreeSet<String>) {
    let tokens = without_tests(tokens);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Group(group) => {
                let is_module = at >= 2
                    && group.delimiter() == Delimiter::Brace
                    && matches!(&tokens[at - 2], TokenTree::Ident(word) if word == "mod");
                names(group.stream(), depth + usize::from(is_module), named);
            }
            TokenTree::Ident(word) if word == "crate" => {
                first_words(&tokens[at + 1..], named);
            }
            TokenTree::Ident(word) if word == "super" => {
                let above = tokens[at..]
                    .chunks(3)
                    .take_while(|tokens| is_super(tokens))
                    .count();
                at += 3 * above.saturating_sub(1);
                if above == depth {
                    first_words(&tokens[at + 1..], named);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

fn is_super(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [TokenTree::Ident(word), a, b] if word == "super" && is_punct(a, ':') && is_punct(b, ':'))
}

/// The first word behind `::`, or that of each member of a list.
fn first_words(tokens: &[TokenTree], named: &mut BTreeSet<String>) {
    let [a, b, next, ..] = tokens else { return };
    if !is_punct(a, ':') || !is_punct(b, ':') {
        return;
    }
    match next {
        TokenTree::Ident(word) => {
            named.insert(word.to_string());
        }
        TokenTree::Group(list) => {
            let members: Vec<TokenTree> = list.stream().into_iter().collect();
            for member in members.split(|token| is_punct(token, ',')) {
                if let Some(TokenTree::Ident(word)) = member.first() {
                    named.insert(word.to_string());
                }
            }
        }
        _ => {}
    }
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// Leaves out every item under `#[cfg(test)]`.
fn without_tests(tokens: TokenStream) -> Vec<TokenTree> {
    let mut left = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_for_tests = is_punct(&token, '#')
            && matches!(tokens.peek(), Some(TokenTree::Group(group)) if group.stream().to_string().replace(' ', "") == "cfg(test)");
        if !is_for_tests {
            left.push(token);
            continue;
        }
        // The item ends with its body, or with a semicolon.
        for token in tokens.by_ref() {
            let is_body =
                matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
            if is_body || is_punct(&token, ';') {
                break;
            }
        }
    }
    left
}

/// The first circle, as the way along it.
fn circle(graph: &Graph) -> Option<String> {
    fn go<'g>(
        graph: &'g Graph,
        module: &'g str,
        way: &mut Vec<&'g str>,
        done: &mut BTreeSet<&'g str>,
    ) -> Option<String> {
        if let Some(start) = way.iter().position(|earlier| *earlier == module) {
            let mut circle = way[start..].to_vec();
            circle.push(module);
            return Some(circle.join(" -> "));
        }
        if !done.insert(module) {
            return None;
        }
        way.push(module);
        let asked = graph.get(module).into_iter().flatten();
        let found = asked
            .map(|asked| go(graph, asked, way, done))
            .find_map(|found| found);
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    graph
        .keys()
        .find_map(|module| go(graph, module, &mut Vec::new(), &mut done))
}
