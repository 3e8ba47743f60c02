//! Cutting a search answer into its hits while it arrives.
//!
//! An answer looks like
//! `{"_scroll_id":…,"took":…,"timed_out":…,"_shards":{…},"hits":{"total":{…},"max_score":null,"hits":[ hit , hit … ]}}`,
//! in this order on every supported version. [`HitSplitter`] takes its bytes in whatever pieces the network delivers,
//! keeps no more of them than one hit, and gives out first what stands before the hits and then hit after hit as slices
//! of its buffer. It only follows the nesting; what is in a hit is for the JSON parser to judge.

use std::ops::Range;

use memchr::memchr2;

/// Largest hit (and largest part before the first hit) that is read: the default of Elasticsearch's own
/// `http.max_content_length`, which no stored document can exceed.
const MAX_PIECE_BYTES: usize = 100 * 1024 * 1024;

/// Something that an answer can't contain, or that it contains too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// The bytes are not a search answer.
    #[error("it is not a search answer: {0}")]
    NotAnAnswer(&'static str),
    /// A single hit is larger than any document can be.
    #[error("one hit is larger than {MAX_PIECE_BYTES} bytes")]
    TooLarge,
}

/// What comes next out of a [`HitSplitter`]. Ranges are for [`HitSplitter::bytes`], until more is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// All before the list of hits; the brackets that are open there are not closed.
    Head(Range<usize>),
    /// One hit, a JSON object.
    Hit(Range<usize>),
    /// More bytes are needed.
    Incomplete,
    /// The answer has ended properly.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Before the list of hits.
    Head,
    /// In the list, between two hits.
    BetweenHits,
    /// Within a hit.
    InHit,
    /// After the list.
    Tail,
    /// After the last bracket.
    Ended,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub struct HitSplitter {
    buffer: Vec<u8>,
    /// Start of the piece under way; everything before it has been given out.
    piece_start: usize,
    /// Everything before it has been looked at.
    position: usize,
    stage: Stage,
    depth: usize,
    in_string: bool,
    escaped: bool,
    string_start: usize,
    /// Whether the last name seen at depth 1 and 2 is `hits`: the list that follows then is the list of hits.
    hits_at_depth: [bool; 2],
}

/// Depth within which the list of hits stands: the answer, and its member `hits`.
const LIST_DEPTH: usize = 2;

impl Default for HitSplitter {
    fn default() -> Self {
        Self {
            buffer: Vec::new(),
            piece_start: 0,
            position: 0,
            stage: Stage::Head,
            depth: 0,
            in_string: false,
            escaped: false,
            string_start: 0,
            hits_at_depth: [false; 2],
        }
    }
}

impl HitSplitter {
    /// Takes more bytes of the answer.
    ///
    /// # Errors
    /// The piece under way is larger than anything that Elasticsearch stores.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), SplitError> {
        if self.piece_start > 0 {
            self.buffer.drain(..self.piece_start);
            self.position -= self.piece_start;
            self.string_start = self.string_start.saturating_sub(self.piece_start);
            self.piece_start = 0;
        }
        if self.buffer.len() + bytes.len() > MAX_PIECE_BYTES {
            return Err(SplitError::TooLarge);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The bytes of a piece that was just given out.
    pub fn bytes(&self, piece: Range<usize>) -> &[u8] {
        self.buffer.get(piece).unwrap_or_default()
    }

    /// Whether the answer has ended properly: a connection that closes before that has cut it off.
    pub fn has_ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// The next piece of the answer.
    ///
    /// # Errors
    /// The bytes are not a search answer.
    pub fn next_piece(&mut self) -> Result<Piece, SplitError> {
        // Bytes between the pieces are of no use to anybody.
        if matches!(self.stage, Stage::BetweenHits | Stage::Tail | Stage::Ended) {
            self.piece_start = self.position;
        }
        while let Some(&byte) = self.buffer.get(self.position) {
            if self.in_string {
                if !self.skip_string() {
                    break;
                }
                continue;
            }
            match byte {
                b'"' => {
                    self.check_place_of_value()?;
                    self.in_string = true;
                    self.string_start = self.position + 1;
                }
                b'{' | b'[' => {
                    if let Some(head_end) = self.open(byte)? {
                        self.position += 1;
                        return Ok(Piece::Head(self.piece_start..head_end));
                    }
                }
                b'}' | b']' => {
                    self.depth = self
                        .depth
                        .checked_sub(1)
                        .ok_or(SplitError::NotAnAnswer("a bracket too many"))?;
                    match self.stage {
                        Stage::InHit if self.depth == LIST_DEPTH + 1 => {
                            self.stage = Stage::BetweenHits;
                            self.position += 1;
                            return Ok(Piece::Hit(self.piece_start..self.position));
                        }
                        Stage::BetweenHits => self.stage = Stage::Tail,
                        Stage::Head if self.depth == 0 => {
                            return Err(SplitError::NotAnAnswer("it has no list of hits"));
                        }
                        Stage::Tail if self.depth == 0 => self.stage = Stage::Ended,
                        _ => {}
                    }
                }
                _ if byte.is_ascii_whitespace() || byte == b',' || byte == b':' => {}
                _ => self.check_place_of_value()?,
            }
            self.position += 1;
        }
        Ok(if self.has_ended() {
            Piece::End
        } else {
            Piece::Incomplete
        })
    }

    /// Goes to the end of the string under way; `false` if that has not arrived yet.
    fn skip_string(&mut self) -> bool {
        loop {
            if self.escaped {
                if self.position >= self.buffer.len() {
                    return false;
                }
                self.escaped = false;
                self.position += 1;
            }
            let rest = self.buffer.get(self.position..).unwrap_or_default();
            match memchr2(b'"', b'\\', rest) {
                None => {
                    self.position = self.buffer.len();
                    return false;
                }
                Some(offset) => {
                    let is_quote = rest.get(offset) == Some(&b'"');
                    self.position += offset + 1;
                    if is_quote {
                        self.in_string = false;
                        self.note_name();
                        return true;
                    }
                    self.escaped = true;
                }
            }
        }
    }

    /// Remembers a name that may announce the list of hits.
    fn note_name(&mut self) {
        if self.stage == Stage::Head
            && let Some(at_depth) = self
                .depth
                .checked_sub(1)
                .and_then(|i| self.hits_at_depth.get_mut(i))
        {
            *at_depth =
                self.buffer.get(self.string_start..self.position - 1) == Some(b"hits".as_slice());
        }
    }

    /// Goes one level down; the end of the head if this opens the list of hits.
    fn open(&mut self, bracket: u8) -> Result<Option<usize>, SplitError> {
        match self.stage {
            Stage::Head => {
                if self.depth == 0 && bracket != b'{' {
                    return Err(SplitError::NotAnAnswer("it is not an object"));
                }
                let is_hits_list = bracket == b'['
                    && self.depth == LIST_DEPTH
                    && self.hits_at_depth == [true, true];
                self.depth += 1;
                if is_hits_list {
                    self.stage = Stage::BetweenHits;
                    return Ok(Some(self.position));
                }
            }
            Stage::BetweenHits => {
                if bracket != b'{' {
                    return Err(SplitError::NotAnAnswer("a hit is not an object"));
                }
                self.stage = Stage::InHit;
                self.piece_start = self.position;
                self.depth += 1;
            }
            Stage::InHit | Stage::Tail => self.depth += 1,
            Stage::Ended => return Err(SplitError::NotAnAnswer("something follows its end")),
        }
        Ok(None)
    }

    /// A plain value may stand anywhere but between hits, before the answer and after it.
    fn check_place_of_value(&self) -> Result<(), SplitError> {
        match self.stage {
            Stage::BetweenHits => Err(SplitError::NotAnAnswer("a hit is not an object")),
            Stage::Ended => Err(SplitError::NotAnAnswer("something follows its end")),
            Stage::Head if self.depth == 0 => Err(SplitError::NotAnAnswer("it is not an object")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANSWER: &str = r#"{"_scroll_id":"a\"]}","took":1,"_shards":{"hits":[1],"failures":[{"hits":"hits"}]},"hits":{"total":{"value":2},"hits" : [{"_id":"{[\\","_source":{"hits":[{}]}} , {"_id":"2"}]},"profile":{"x":[]}}  "#;

    /// Feeds `answer` in pieces that end at `cuts` and gives back head and hits.
    fn split(
        answer: &[u8],
        cuts: &[usize],
    ) -> Result<(Option<String>, Vec<String>, bool), SplitError> {
        let mut splitter = HitSplitter::default();
        let (mut head, mut hits) = (None, Vec::new());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (answer.len() + 1)).collect();
        cuts.extend([0, answer.len()]);
        cuts.sort_unstable();
        for window in cuts.windows(2) {
            splitter.push(&answer[window[0]..window[1]])?;
            loop {
                let piece = splitter.next_piece()?;
                let text = |range| String::from_utf8_lossy(splitter.bytes(range)).into_owned();
                match piece {
                    Piece::Head(range) => head = Some(text(range)),
                    Piece::Hit(range) => hits.push(text(range)),
                    Piece::Incomplete | Piece::End => break,
                }
            }
        }
        Ok((head, hits, splitter.has_ended()))
    }

    #[test]
    fn head_and_hits_come_out_whole() {
        let (head, hits, ended) = split(ANSWER.as_bytes(), &[]).unwrap();
        let head = head.unwrap();
        assert!(
            head.starts_with(r#"{"_scroll_id""#) && head.ends_with(r#""hits" : "#),
            "{head}"
        );
        assert_eq!(
            hits,
            [
                r#"{"_id":"{[\\","_source":{"hits":[{}]}}"#,
                r#"{"_id":"2"}"#
            ]
        );
        assert!(ended);
    }

    #[test]
    fn an_answer_that_is_cut_off_has_not_ended() {
        let end = ANSWER.trim_end().len();
        for cut in 0..end {
            let (_, _, ended) = split(&ANSWER.as_bytes()[..cut], &[]).unwrap();
            assert!(!ended, "cut at {cut}");
        }
        assert!(split(&ANSWER.as_bytes()[..end], &[]).unwrap().2);
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [
            "[]",
            "7",
            "\"x\"",
            "{}",
            r#"{"hits":{"hits":[7]}}"#,
            r#"{"hits":{"hits":[[]]}}"#,
            "}",
            r#"{"hits":{"hits":[]}}{"#,
        ] {
            assert!(split(bytes.as_bytes(), &[]).is_err(), "{bytes}");
        }
    }

    #[test]
    fn no_hits_at_all() {
        let (head, hits, ended) = split(br#"{"hits":{"hits":[]}}"#, &[]).unwrap();
        assert_eq!(head.as_deref(), Some(r#"{"hits":{"hits":"#));
        assert!(hits.is_empty() && ended);
    }

    proptest! {
        #[test]
        fn the_pieces_of_the_network_make_no_difference(cuts in prop::collection::vec(any::<usize>(), 0..40)) {
            prop_assert_eq!(split(ANSWER.as_bytes(), &cuts).unwrap(), split(ANSWER.as_bytes(), &[]).unwrap());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cuts in prop::collection::vec(any::<usize>(), 0..5)) {
            let _ = split(&bytes, &cuts);
        }

        #[test]
        fn a_damaged_answer_does_not_make_it_panic(at in 0..ANSWER.len(), byte in any::<u8>()) {
            let mut damaged = ANSWER.as_bytes().to_vec();
            damaged[at] = byte;
            let _ = split(&damaged, &[]);
        }
    }
}
