//! The page for people: which reports there are, what is in them, and how to fetch them.
//!
//! Its files are a part of the program and hold nothing of the installation, so everybody may have them. What the page shows
//! it asks the API for, with the token that somebody has typed in.

use bytes::Bytes;
use warp::filters::BoxedFilter;
use warp::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
};
use warp::http::{HeaderValue, StatusCode};
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

/// What the page may do: run and show its own files, and ask this service. Nothing that it shows can become a script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// A file of the page.
struct File {
    content_type: &'static str,
    text: &'static str,
}

const INDEX: File = File {
    content_type: "text/html; charset=utf-8",
    text: include_str!("page/index.html"),
};
const SCRIPT: File = File {
    content_type: "text/javascript; charset=utf-8",
    text: include_str!("page/app.js"),
};
const STYLE: File = File {
    content_type: "text/css; charset=utf-8",
    text: include_str!("page/style.css"),
};
const ICON: File = File {
    content_type: "image/svg+xml",
    text: include_str!("page/icon.svg"),
};

/// `/` and `/page/…`, behind the context path. All addresses in them are relative, so that they hold behind any proxy.
pub(super) fn routes(is_on: bool) -> BoxedFilter<(Response,)> {
    let index = warp::path::end()
        .and(warp::get())
        .and(warp::path::full())
        .map(|path: FullPath| index(path.as_str()));
    let file = warp::path!("page" / String)
        .and_then(|name: String| async move {
            file(&name).ok_or_else(|| -> Rejection { warp::reject::not_found() })
        })
        .and(warp::get())
        .map(answer);
    super::routes::switched(is_on)
        .and(index.or(file).unify())
        .boxed()
}

/// The page itself, which is a folder.
fn index(path: &str) -> Response {
    if path.ends_with('/') {
        return answer(&INDEX);
    }
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    // Relative too: a proxy may have taken a part off the path.
    let folder = path.rsplit('/').next().unwrap_or_default();
    if let Ok(folder) = HeaderValue::try_from(format!("./{folder}/")) {
        response.headers_mut().insert(LOCATION, folder);
    }
    response
}

fn file(name: &str) -> Option<&'static File> {
    match name {
        "app.js" => Some(&SCRIPT),
        "style.css" => Some(&STYLE),
        "icon.svg" => Some(&ICON),
        _ => None,
    }
}

fn answer(file: &'static File) -> Response {
    let mut response = Response::new(Bytes::from_static(file.text.as_bytes()).into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    // The files belong together, and change with the program.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_files_that_are_there_and_nothing_elsewhere() {
        let addresses: Vec<&str> = ["href=\"", "src=\""]
            .iter()
            .flat_map(|attribute| INDEX.text.split(attribute).skip(1))
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        for address in &addresses {
            let is_there = match address.strip_prefix("page/") {
                Some(name) => file(name).is_some(),
                None => *address == "api/docs/" || address.starts_with('#'),
            };
            assert!(is_there, "{address}");
        }
        for name in ["app.js", "style.css", "icon.svg"] {
            assert!(addresses.iter().any(|address| address.ends_with(name)));
        }
    }

    #[test]
    fn every_element_that_the_script_asks_for_is_in_the_page() {
        let mut asked: Vec<&str> = SCRIPT
            .text
            .split("byId(\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        asked.dedup();
        assert!(asked.len() > 10, "{asked:?}");
        for id in asked {
            assert!(INDEX.text.contains(&format!("id=\"{id}\"")), "{id}");
        }
    }

    #[test]
    fn nothing_is_written_that_the_policy_forbids_or_that_would_keep_a_token() {
        for inline in [" style=", "<style", "<script>", "javascript:"] {
            assert!(!INDEX.text.contains(inline), "{inline}");
        }
        let mut behind_on = INDEX.text.split(" on").skip(1);
        let is_handler = |rest: &str| {
            rest.trim_start_matches(char::is_alphabetic)
                .starts_with('=')
        };
        assert!(!behind_on.any(is_handler), "an attribute such as onclick");
        for way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "localStorage",
            "sessionStorage",
            "cookie",
            "history.",
        ] {
            assert!(!SCRIPT.text.contains(way), "{way}");
        }
        assert!(!SCRIPT.text.contains("setAttribute(\"style\""));
    }
}
