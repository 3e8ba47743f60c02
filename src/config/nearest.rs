//! What somebody may have meant who wrote a name that there is not.

/// How like two names have to be, 1 being the same. It is what clap demands of flags.
const LIKE: f64 = 0.7;

/// The name that is most like this one, if one is like it at all.
pub(super) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    names
        .into_iter()
        .map(|known| (strsim::jaro(name, known), known))
        .filter(|(likeness, _)| *likeness > LIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}
