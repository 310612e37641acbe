//! The arithmetic of a virtual table: which rows are in sight, and which windows of rows they need.

use std::ops::Range;

/// Rows that one request asks for.
pub(crate) const WINDOW: u32 = 200;
/// Rows rendered above and below those in sight, so that a scroll of a few rows shows no gap.
const OVERSCAN: u32 = 8;
/// Rows from the edge of a window at which the next one is fetched ahead.
const AHEAD: u32 = 80;

/// What part of a list is in sight, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Viewport {
    pub(crate) top: u32,
    pub(crate) height: u32,
    pub(crate) row: u32,
}

impl Viewport {
    /// The rows to render.
    pub(crate) fn rows(self, count: u32) -> Range<u32> {
        let first = self.first();
        let last = first + self.height.div_ceil(self.row.max(1)) + 1;
        first.saturating_sub(OVERSCAN).min(count)..last.saturating_add(OVERSCAN).min(count)
    }

    /// Whole rows that fit, at least one: the step of a page key.
    pub(crate) fn page(self) -> u32 {
        (self.height / self.row.max(1)).max(1)
    }

    /// Where to scroll so that `index` is in sight; `None` when it is.
    pub(crate) fn reveal(self, index: u32) -> Option<u32> {
        let start = index * self.row;
        let end = start + self.row;
        if start < self.top {
            Some(start)
        } else if end > self.top + self.height {
            Some(end.saturating_sub(self.height))
        } else {
            None
        }
    }

    fn first(self) -> u32 {
        self.top / self.row.max(1)
    }
}

/// The windows that hold `rows` and those that a little more scrolling needs.
pub(crate) fn windows(rows: &Range<u32>, count: u32) -> Range<u32> {
    let first = rows.start.saturating_sub(AHEAD) / WINDOW;
    let end = rows.end.saturating_add(AHEAD).min(count).div_ceil(WINDOW);
    // An unknown or empty list still needs its first window to learn how long it is.
    first.min(end.saturating_sub(1))..end.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewport(top: u32) -> Viewport {
        Viewport { top, height: 420, row: 42 }
    }

    #[test]
    fn rows_in_sight_with_overscan() {
        assert_eq!(viewport(0).rows(100_000), 0..19);
        assert_eq!(viewport(4_200).rows(100_000), 92..119);
        assert_eq!(viewport(42 * 99_990).rows(100_000), 99_982..100_000);
        assert_eq!(viewport(0).rows(3), 0..3);
    }

    #[test]
    fn a_list_that_became_shorter_shows_no_rows_beyond_its_end() {
        assert_eq!(viewport(42_000).rows(5), 5..5);
    }

    #[test]
    fn windows_are_fetched_ahead() {
        assert_eq!(windows(&(0..19), 100_000), 0..1);
        assert_eq!(windows(&(110..140), 100_000), 0..2);
        assert_eq!(windows(&(270..300), 100_000), 0..2);
        assert_eq!(windows(&(285..300), 100_000), 1..2);
        assert_eq!(windows(&(99_982..100_000), 100_000), 499..500);
        assert_eq!(windows(&(0..0), 0), 0..1);
    }

    #[test]
    fn revealing_scrolls_as_little_as_possible() {
        assert_eq!(viewport(0).reveal(9), None);
        assert_eq!(viewport(0).reveal(10), Some(42));
        assert_eq!(viewport(420).reveal(3), Some(126));
    }

    #[test]
    fn the_tallest_list_stays_below_what_browsers_can_scroll() {
        // Firefox stops at about 17.9 million pixels.
        const { assert!(100_000 * 42 < 17_000_000) }
    }
}
