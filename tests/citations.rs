//! Every rule has its reason in the repository: citations name a page and a heading that exist, and so do links.
//!
//! A citation is the path of a page from the top of the repository, a comma and a heading in quotation marks, on one line;
//! further headings of the same page follow with `and`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect, in its helpers too"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Files that cite.
const CITING: [&str; 5] = ["rs", "md", "yml", "yaml", "toml"];
/// What nobody wrote: results of builds, and what is fetched.
const SKIPPED_FOLDERS: [&str; 4] = [".git", "target", "corpus", "secrets"];
/// Documents that are not in the repository, as comments called them once.
const GONE: [&str; 3] = ["fact file", "the contract's row", "the contract's section"];

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

struct File {
    path: PathBuf,
    text: String,
}

impl File {
    /// Its path from the top, for messages.
    fn name(&self) -> String {
        let path = self.path.strip_prefix(top()).unwrap();
        path.display().to_string()
    }

    fn is_page(&self) -> bool {
        self.path
            .extension()
            .is_some_and(|extension| extension == "md")
    }
}

/// All files that cite, but this one, which has examples of what is wrong.
fn files() -> Vec<File> {
    let mut files = Vec::new();
    collect(top(), &mut files);
    assert!(files.len() > 300, "only {} files found", files.len());
    files.retain(|file| !file.path.ends_with("tests/citations.rs"));
    files
}

fn collect(folder: &Path, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() {
            if !SKIPPED_FOLDERS.contains(&name) {
                collect(&path, files);
            }
        } else if extension.is_some_and(|extension| CITING.contains(&extension)) {
            let text = fs::read_to_string(&path).unwrap();
            files.push(File { path, text });
        }
    }
}

/// The lines of a page outside of blocks of code, with their numbers.
fn prose(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    let lines = page.lines().enumerate();
    lines.filter_map(move |(number, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        (!is_code && !is_fence).then_some((number + 1, line))
    })
}

fn headings(page: &str) -> Vec<&str> {
    let lines = prose(page).filter_map(|(_, line)| line.starts_with('#').then_some(line));
    lines
        .map(|line| line.trim_start_matches('#').trim())
        .collect()
}

/// A heading as the fragment of a link, by the rules of GitHub.
fn fragment(heading: &str) -> String {
    let letters = heading.to_lowercase();
    let kept = letters.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        _ => letter.is_alphanumeric().then_some(letter),
    });
    kept.collect()
}

/// The path that a text ends with.
fn path_before(text: &str) -> &str {
    let is_of_path = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
    let start = text.trim_end_matches(is_of_path).len();
    &text[start..]
}

/// Paths of pages that a line names, each with the rest of the line. One without a folder may be somebody else's page.
fn pages_named(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let pages = line.match_indices(".md").map(|(at, extension)| {
        let end = at + extension.len();
        (path_before(&line[..end]), &line[end..])
    });
    pages.filter(|(path, _)| path.contains('/'))
}

/// The headings that a citation names; what is wrong with it, where it is none.
fn headings_cited(after_path: &str) -> Result<Vec<&str>, &'static str> {
    let Some(mut rest) = after_path.strip_prefix(", \"") else {
        return if after_path == "," {
            Err("a citation stands on one line")
        } else {
            Ok(Vec::new())
        };
    };
    let mut cited = Vec::new();
    loop {
        let Some((heading, after)) = rest.split_once('"') else {
            return Err("a heading ends on its line");
        };
        cited.push(heading);
        match after.strip_prefix(" and \"") {
            Some(next) => rest = next,
            None => return Ok(cited),
        }
    }
}

/// What is wrong with the citations of a line; pages are read by `read`, which knows none where there is none.
fn wrong_citations(line: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, rest) in pages_named(line) {
        let cited = match headings_cited(rest) {
            Ok(cited) => cited,
            Err(problem) => {
                wrong.push(format!("{path}: {problem}"));
                continue;
            }
        };
        if cited.is_empty() {
            continue;
        }
        let Some(page) = read(path) else {
            wrong.push(format!("there is no {path}"));
            continue;
        };
        let known = headings(&page);
        let missing = cited.iter().filter(|heading| !known.contains(heading));
        wrong.extend(missing.map(|heading| format!("{path} has no heading \"{heading}\"")));
    }
    wrong
}

fn read_page(path: &str) -> Option<String> {
    fs::read_to_string(top().join(path)).ok()
}

#[test]
fn every_citation_names_a_page_and_a_heading() {
    let mut wrong = Vec::new();
    let mut citations = 0;
    for file in files() {
        for (number, line) in file.text.lines().enumerate() {
            let named = pages_named(line).filter_map(|(_, rest)| headings_cited(rest).ok());
            citations += named.map(|cited| cited.len()).sum::<usize>();
            let place = format!("{}:{}", file.name(), number + 1);
            let found = wrong_citations(line, read_page);
            wrong.extend(
                found
                    .into_iter()
                    .map(|problem| format!("{place}: {problem}")),
            );
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(citations > 150, "only {citations} citations found");
}

#[test]
fn every_page_that_code_names_exists() {
    let mut wrong = Vec::new();
    for file in files().iter().filter(|file| !file.is_page()) {
        for (number, line) in file.text.lines().enumerate() {
            for (path, _) in pages_named(line) {
                let path = path.trim_start_matches(['.', '/']);
                let is_of_ours = path.contains("docs/") && !path.contains("//");
                if is_of_ours && read_page(path).is_none() {
                    wrong.push(format!(
                        "{}:{}: there is no {path}",
                        file.name(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn nothing_cites_documents_outside_of_the_repository() {
    let mut wrong = Vec::new();
    for file in files() {
        for (number, line) in file.text.lines().enumerate() {
            let lower = line.to_lowercase();
            if let Some(gone) = GONE.iter().find(|gone| lower.contains(*gone)) {
                wrong.push(format!("{}:{}: {gone}", file.name(), number + 1));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// The targets of the links in a line of Markdown; what stands in backticks is none.
fn links(line: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(['`', ']']) {
        let (found, after) = rest[at..].split_at(1);
        rest = after;
        if found == "`" {
            rest = rest.split_once('`').map_or("", |(_, after)| after);
        } else if let Some(target) = rest.strip_prefix('(') {
            let (target, after) = target.split_once(')').unwrap_or((target, ""));
            links.push(target);
            rest = after;
        }
    }
    links
}

/// What is wrong with a link of a page.
fn wrong_link(page: &File, target: &str) -> Option<String> {
    if target.starts_with("http") || target.starts_with("mailto:") {
        return None;
    }
    let (path, wanted) = target.split_once('#').unwrap_or((target, ""));
    let linked = if path.is_empty() {
        page.path.clone()
    } else {
        page.path.parent().unwrap().join(path)
    };
    if !linked.exists() {
        return Some(format!("there is no {target}"));
    }
    if wanted.is_empty() {
        return None;
    }
    let text = fs::read_to_string(&linked).unwrap_or_default();
    let fragments = headings(&text).into_iter().map(fragment);
    let is_there = fragments.into_iter().any(|fragment| fragment == wanted);
    (!is_there).then(|| format!("{target}: there is no such heading"))
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in files().iter().filter(|file| file.is_page()) {
        for (number, line) in prose(&page.text) {
            let targets = links(line);
            count += targets.len();
            let found = targets.iter().filter_map(|target| wrong_link(page, target));
            wrong.extend(found.map(|problem| format!("{}:{number}: {problem}", page.name())));
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(count > 100, "only {count} links found");
}

#[test]
fn a_wrong_citation_is_found() {
    let read = |path: &str| (path == "docs/A.md").then(|| "# Top\n\n## Its rule\n".to_owned());
    let none: [&str; 0] = [];
    assert_eq!(
        wrong_citations(r#"//! (docs/A.md, "Its rule" and "Top")."#, read),
        none
    );
    assert_eq!(
        wrong_citations(r#"//! (docs/A.md, "Its rule" and "Another")."#, read),
        [r#"docs/A.md has no heading "Another""#]
    );
    assert_eq!(
        wrong_citations(r#"//! (docs/B.md, "Its rule")."#, read),
        ["there is no docs/B.md"]
    );
    assert_eq!(
        wrong_citations(r#"//! docs/A.md, "Its"#, read),
        ["docs/A.md: a heading ends on its line"]
    );
    assert_eq!(
        wrong_citations("//! See docs/A.md,", read),
        ["docs/A.md: a citation stands on one line"]
    );
}

#[test]
fn headings_and_links_are_those_outside_of_code() {
    let page = "# A `b` page\n```sh\n# no heading\n```\n## Java's text\n";
    assert_eq!(headings(page), ["A `b` page", "Java's text"]);
    assert_eq!(fragment("A `b` page"), "a-b-page");
    assert_eq!(fragment("Java's text"), "javas-text");
    assert_eq!(links("`[a](b)` and [c](d#e), `x` [f](g)"), ["d#e", "g"]);
}
