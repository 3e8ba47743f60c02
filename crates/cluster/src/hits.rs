//! Cutting a search answer into its hits while it arrives.
//!
//! An answer looks like
//! `{"_scroll_id":…,"took":…,"timed_out":…,"_shards":{…},"hits":{"total":{…},"max_score":null,"hits":[ hit , hit … ]}}`,
//! in this order on every supported version. [`HitSplitter`] takes its bytes in whatever pieces the network delivers,
//! keeps little more of them than one hit, and gives out first what stands before the hits and then the place where each
//! hit begins.
//!
//! Where a hit ends is found by whoever reads it and told with [`HitSplitter::advance`]: looking for the end beforehand
//! would mean to go over every byte twice. A reader that finds no end says so with [`HitSplitter::wait`], and is not asked
//! again before so much more has arrived that it is worth another try.

use std::ops::Range;

use memchr::{memchr2, memmem};
use utf16::Damaged;

use super::hit_memory::MAX_HIT_BYTES;

/// A buffer that has grown larger than this for one hit is made as small again for the next ones.
const KEPT_BYTES: usize = 512 * 1024;
/// How a hit begins on every supported version. It is only a hint that the hit before is complete: a document might hold
/// the same.
const BEGIN_OF_HIT: &[u8] = b"{\"_index\":";
/// A hit is tried without the hint when so much of it is there.
const FIRST_TRY_BYTES: usize = 64 * 1024;

/// Something that an answer can't contain, or that it contains too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// The bytes are not a search answer.
    #[error("it is not a search answer: {0}")]
    NotAnAnswer(&'static str),
    /// A single hit is larger than there is memory for.
    #[error("one hit is larger than {MAX_HIT_BYTES} bytes")]
    TooLarge,
    /// The answer has ended in the middle.
    #[error("it was cut off")]
    CutOff,
    /// A fault of the reader: it was told of a place where there is none.
    #[error("the reader lost its place in it")]
    LostPlace,
}

/// What comes next out of a [`HitSplitter`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// All before the list of hits; the brackets that are open there are not closed.
    Head(Range<usize>),
    /// [`HitSplitter::rest`] begins with a hit, and probably holds all of it.
    Hit,
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
    /// At the beginning of a hit.
    AtHit,
    /// After the list.
    Tail,
    /// After the last bracket.
    Ended,
}

/// See the [module documentation](self).
#[derive(Debug)]
pub struct HitSplitter {
    /// What has arrived and is still needed.
    buffer: String,
    /// The beginning of a character whose end has not arrived yet.
    cut_character: Vec<u8>,
    /// Whether nothing more will arrive.
    is_complete: bool,
    /// Start of the piece under way; everything before it has been given out.
    piece_start: usize,
    /// Everything before it has been looked at.
    position: usize,
    /// Where the last hit begins that has been seen to begin, as far as hints can be trusted.
    last_begin: usize,
    /// Whether the present hit has been tried, and its end was not there.
    is_waiting: bool,
    /// How much of a hit has to be there before it is tried without a hint, or again.
    worth_a_try: usize,
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
            buffer: String::new(),
            cut_character: Vec::new(),
            is_complete: false,
            piece_start: 0,
            position: 0,
            last_begin: 0,
            is_waiting: false,
            worth_a_try: FIRST_TRY_BYTES,
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
    /// The piece under way is larger than there is memory for, or the bytes are no text.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), SplitError> {
        self.forget_what_was_given_out();
        if self.buffer.len() + bytes.len() > MAX_HIT_BYTES {
            return Err(SplitError::TooLarge);
        }
        let begin_may_be_cut = self.buffer.len().saturating_sub(BEGIN_OF_HIT.len());
        if self.cut_character.is_empty() {
            self.push_text(bytes)?;
        } else {
            let mut whole = std::mem::take(&mut self.cut_character);
            whole.extend_from_slice(bytes);
            self.push_text(&whole)?;
        }
        let new = self.buffer.as_bytes().get(begin_may_be_cut..);
        if let Some(offset) = new.and_then(|new| memmem::rfind(new, BEGIN_OF_HIT)) {
            self.last_begin = begin_may_be_cut + offset;
        }
        Ok(())
    }

    fn push_text(&mut self, bytes: &[u8]) -> Result<(), SplitError> {
        let cut = utf16::push_json(&mut self.buffer, bytes)
            .map_err(|Damaged| SplitError::NotAnAnswer("it is not UTF-8"))?;
        self.cut_character = cut.to_vec();
        Ok(())
    }

    fn forget_what_was_given_out(&mut self) {
        let start = self.piece_start;
        if start == 0 {
            return;
        }
        // Pieces end where ASCII characters end, so the rest is text.
        self.buffer.drain(..start);
        self.position -= start;
        self.string_start = self.string_start.saturating_sub(start);
        self.last_begin = self.last_begin.saturating_sub(start);
        self.piece_start = 0;
        if self.buffer.len() < KEPT_BYTES && self.buffer.capacity() > 2 * KEPT_BYTES {
            self.buffer.shrink_to(KEPT_BYTES);
        }
    }

    /// How many bytes it holds that have not been given out.
    pub fn bytes_waiting(&self) -> usize {
        self.buffer.len().saturating_sub(self.piece_start)
    }

    /// Notes that nothing more will arrive.
    ///
    /// # Errors
    /// The bytes end within a character.
    pub fn complete(&mut self) -> Result<(), SplitError> {
        self.is_complete = true;
        if self.cut_character.is_empty() {
            Ok(())
        } else {
            Err(SplitError::CutOff)
        }
    }

    /// Whether it was told that nothing more will arrive.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The text of a piece that was just given out; it is there until more is pushed.
    ///
    /// # Errors
    /// There is no such piece.
    pub fn text(&self, piece: Range<usize>) -> Result<&str, SplitError> {
        self.buffer.get(piece).ok_or(SplitError::LostPlace)
    }

    /// Everything from the beginning of the present hit on that has arrived.
    ///
    /// # Errors
    /// It would begin within a character.
    pub fn rest(&self) -> Result<&str, SplitError> {
        self.buffer
            .get(self.piece_start..)
            .ok_or(SplitError::LostPlace)
    }

    /// Notes that the hit which [`HitSplitter::rest`] begins with has so many bytes.
    ///
    /// # Errors
    /// No hit is being read, or it can't end there. Going on all the same would give the same hit again.
    pub fn advance(&mut self, length: usize) -> Result<(), SplitError> {
        let end = self.piece_start + length;
        if self.stage != Stage::AtHit || length == 0 || !self.buffer.is_char_boundary(end) {
            return Err(SplitError::LostPlace);
        }
        self.piece_start = end;
        self.position = end;
        self.stage = Stage::BetweenHits;
        self.is_waiting = false;
        self.worth_a_try = FIRST_TRY_BYTES;
        Ok(())
    }

    /// Notes that [`HitSplitter::rest`] ends before the hit does.
    ///
    /// # Errors
    /// Nothing more will arrive.
    pub fn wait(&mut self) -> Result<(), SplitError> {
        if self.is_complete {
            return Err(SplitError::CutOff);
        }
        // Each try goes over the hit from its beginning. Waiting for twice as much bounds what all of them take.
        self.worth_a_try = 2 * self.bytes_waiting().max(FIRST_TRY_BYTES);
        self.is_waiting = true;
        Ok(())
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
        if self.stage == Stage::AtHit {
            return Ok(self.hit_if_worth_a_try());
        }
        // Bytes between the pieces are of no use to anybody.
        if self.stage != Stage::Head {
            self.piece_start = self.position;
        }
        while let Some(&byte) = self.buffer.as_bytes().get(self.position) {
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
                    if self.stage == Stage::BetweenHits && byte == b'{' {
                        self.stage = Stage::AtHit;
                        self.piece_start = self.position;
                        return Ok(self.hit_if_worth_a_try());
                    }
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
        if self.has_ended() {
            return Ok(Piece::End);
        }
        if self.is_complete {
            return Err(SplitError::CutOff);
        }
        Ok(Piece::Incomplete)
    }

    fn hit_if_worth_a_try(&self) -> Piece {
        let is_worth_a_try = self.is_complete
            || (self.last_begin > self.piece_start && !self.is_waiting)
            || self.bytes_waiting() >= self.worth_a_try;
        if is_worth_a_try {
            Piece::Hit
        } else {
            Piece::Incomplete
        }
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
            let rest = (self.buffer.as_bytes())
                .get(self.position..)
                .unwrap_or_default();
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
            *at_depth = self.buffer.get(self.string_start..self.position - 1) == Some("hits");
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
            Stage::BetweenHits | Stage::AtHit => {
                return Err(SplitError::NotAnAnswer("a hit is not an object"));
            }
            Stage::Tail => self.depth += 1,
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
    use serde::de::IgnoredAny;

    use super::*;

    const ANSWER: &str = r#"{"_scroll_id":"a\"]}","took":1,"_shards":{"hits":[1],"failures":[{"hits":"hits"}]},"hits":{"total":{"value":2},"hits" : [{"_id":"{[\\","_source":{"hits":[{}]}} , {"_id":"é"}]},"profile":{"x":[]}}  "#;
    /// With the beginnings that Elasticsearch writes, one of them within a document.
    const HINTED: &str = r#"{"hits":{"total":{"value":3},"hits":[{"_index":"i","_source":{"a":"é\"}"}},{"_index":"i","_source":{"a":[1,{"_index":"€"},{"_index":2}]}},{"_index":"j","_source":{}}]}}"#;

    type Split = Result<(Option<String>, Vec<String>), SplitError>;

    /// Takes what can be had, and ends hits where their brackets close.
    fn take(
        splitter: &mut HitSplitter,
        head: &mut Option<String>,
        hits: &mut Vec<String>,
    ) -> Result<(), SplitError> {
        loop {
            match splitter.next_piece()? {
                Piece::Head(range) => *head = Some(splitter.text(range)?.to_owned()),
                Piece::Hit => {
                    let rest = splitter.rest()?;
                    let mut values = serde_json::Deserializer::from_str(rest).into_iter();
                    match values.next() {
                        Some(Ok(IgnoredAny)) => {
                            let length = values.byte_offset();
                            hits.push(rest[..length].to_owned());
                            splitter.advance(length)?;
                        }
                        None => splitter.wait()?,
                        Some(Err(error)) if error.is_eof() => splitter.wait()?,
                        Some(Err(_)) => return Err(SplitError::NotAnAnswer("no JSON")),
                    }
                }
                Piece::Incomplete | Piece::End => return Ok(()),
            }
        }
    }

    /// Feeds `answer` in pieces that end at `cuts` and gives back head and hits.
    fn split(answer: &[u8], cuts: &[usize]) -> Split {
        let mut splitter = HitSplitter::default();
        let (mut head, mut hits) = (None, Vec::new());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (answer.len() + 1)).collect();
        cuts.extend([0, answer.len()]);
        cuts.sort_unstable();
        for window in cuts.windows(2) {
            splitter.push(&answer[window[0]..window[1]])?;
            take(&mut splitter, &mut head, &mut hits)?;
        }
        splitter.complete()?;
        take(&mut splitter, &mut head, &mut hits)?;
        assert!(splitter.has_ended());
        Ok((head, hits))
    }

    #[test]
    fn head_and_hits_come_out_whole() {
        let (head, hits) = split(ANSWER.as_bytes(), &[]).unwrap();
        let head = head.unwrap();
        assert!(
            head.starts_with(r#"{"_scroll_id""#) && head.ends_with(r#""hits" : "#),
            "{head}"
        );
        assert_eq!(
            hits,
            [
                r#"{"_id":"{[\\","_source":{"hits":[{}]}}"#,
                r#"{"_id":"é"}"#
            ]
        );
    }

    #[test]
    fn a_hit_comes_out_when_the_next_one_begins() {
        let mut splitter = HitSplitter::default();
        let (mut head, mut hits) = (None, Vec::new());
        let at = |text: &str| HINTED.find(text).unwrap();
        let mut pushed = 0;
        let mut push_until = |end: usize| {
            splitter.push(&HINTED.as_bytes()[pushed..end]).unwrap();
            pushed = end;
            take(&mut splitter, &mut head, &mut hits).unwrap();
            hits.len()
        };
        assert_eq!(push_until(at("},{")), 0);
        assert_eq!(push_until(at(r#""i","_source":{"a":[1"#)), 1);
        // What looks like the next hit is within the document.
        assert_eq!(push_until(at(":2")), 1);
        assert_eq!(push_until(at(r#""j""#)), 1, "the hint has failed once");
        assert_eq!(push_until(HINTED.len()), 1);
        splitter.complete().unwrap();
        take(&mut splitter, &mut head, &mut hits).unwrap();
        assert_eq!(hits.len(), 3);
    }

    #[test]
    fn an_answer_that_is_cut_off_is_an_error() {
        let end = ANSWER.trim_end().len();
        for cut in 0..end {
            assert_eq!(
                split(&ANSWER.as_bytes()[..cut], &[]),
                Err(SplitError::CutOff),
                "cut at {cut}"
            );
        }
        split(&ANSWER.as_bytes()[..end], &[]).unwrap();
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [
            b"[]".as_slice(),
            b"7",
            b"\"x\"",
            b"{}",
            br#"{"hits":{"hits":[7]}}"#,
            br#"{"hits":{"hits":[[]]}}"#,
            b"}",
            br#"{"hits":{"hits":[]}}{"#,
            b"{\"hits\":{\"hits\":[{\"a\":\"\xff\"}]}}",
        ] {
            assert!(split(bytes, &[]).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_reader_that_lost_its_place_is_told_and_no_hit_comes_twice() {
        let mut splitter = HitSplitter::default();
        splitter
            .push("{\"hits\":{\"hits\":[{\"a\":\"é\"}]}}".as_bytes())
            .unwrap();
        assert_eq!(splitter.advance(1), Err(SplitError::LostPlace));
        assert!(matches!(splitter.next_piece(), Ok(Piece::Head(_))));
        assert_eq!(splitter.text(0..1_000), Err(SplitError::LostPlace));
        splitter.complete().unwrap();
        assert_eq!(splitter.next_piece(), Ok(Piece::Hit));
        let within_a_character = r#"{"a":""#.len() + 1;
        for impossible in [0, within_a_character, 1_000] {
            assert_eq!(splitter.advance(impossible), Err(SplitError::LostPlace));
        }
        assert_eq!(splitter.next_piece(), Ok(Piece::Hit));
        splitter.advance("{\"a\":\"é\"}".len()).unwrap();
        assert_eq!(splitter.next_piece(), Ok(Piece::End));
    }

    #[test]
    fn a_buffer_that_one_hit_has_made_large_is_given_back() {
        let large = "x".repeat(4 * KEPT_BYTES);
        let mut splitter = HitSplitter::default();
        splitter
            .push(format!(r#"{{"hits":{{"hits":[{{"a":"{large}"}},"#).as_bytes())
            .unwrap();
        while splitter.next_piece().unwrap() != Piece::Hit {}
        assert!(splitter.bytes_waiting() > 4 * KEPT_BYTES);
        splitter.advance(large.len() + r#"{"a":""}"#.len()).unwrap();
        assert_eq!(splitter.next_piece(), Ok(Piece::Incomplete));
        splitter.push(b"{}]}}").unwrap();
        assert!(splitter.buffer.capacity() <= 2 * KEPT_BYTES);
    }

    #[test]
    fn no_hits_at_all() {
        let (head, hits) = split(br#"{"hits":{"hits":[]}}"#, &[]).unwrap();
        assert_eq!(head.as_deref(), Some(r#"{"hits":{"hits":"#));
        assert!(hits.is_empty());
    }

    #[test]
    fn a_hit_larger_than_all_buffers_is_tried_a_few_times_only() {
        let answer = format!(
            r#"{{"hits":{{"hits":[{{"a":"{}"}}]}}}}"#,
            "x".repeat(1 << 20)
        );
        let mut splitter = HitSplitter::default();
        let mut tries = 0;
        for piece in answer.as_bytes().chunks(1_000) {
            splitter.push(piece).unwrap();
            while !matches!(splitter.next_piece().unwrap(), Piece::Incomplete) {
                tries += usize::from(splitter.wait().is_ok());
            }
        }
        assert!((3..8).contains(&tries), "{tries}");
    }

    proptest! {
        #[test]
        fn the_pieces_of_the_network_make_no_difference(cuts in prop::collection::vec(any::<usize>(), 0..40)) {
            for answer in [ANSWER, HINTED] {
                prop_assert_eq!(split(answer.as_bytes(), &cuts).unwrap(), split(answer.as_bytes(), &[]).unwrap());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cuts in prop::collection::vec(any::<usize>(), 0..5)) {
            let _ = split(&bytes, &cuts);
        }

        #[test]
        fn a_damaged_answer_does_not_make_it_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cuts in prop::collection::vec(any::<usize>(), 0..5)) {
            for answer in [ANSWER, HINTED] {
                let mut damaged = answer.as_bytes().to_vec();
                damaged[at.index(answer.len())] = byte;
                let _ = split(&damaged, &cuts);
            }
        }
    }
}
