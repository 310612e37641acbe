//! A set of row positions, one bit each.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bitset {
    words: Vec<u64>,
    len: usize,
}

impl Bitset {
    pub(super) fn none(len: usize) -> Bitset {
        Bitset { words: vec![0; len.div_ceil(64)], len }
    }

    pub(super) fn all(len: usize) -> Bitset {
        let mut set = Bitset { words: vec![u64::MAX; len.div_ceil(64)], len };
        set.clear_tail();
        set
    }

    /// The positions at which `holds`.
    pub(super) fn of<T: Copy>(values: &[T], holds: impl Fn(T) -> bool) -> Bitset {
        let word = |chunk: &[T]| {
            chunk.iter().enumerate().fold(0, |word, (bit, value)| word | u64::from(holds(*value)) << bit)
        };
        Bitset { words: values.chunks(64).map(word).collect(), len: values.len() }
    }

    pub(super) fn insert(&mut self, position: u32) {
        self.words[position as usize / 64] |= 1 << (position % 64);
    }

    /// Takes a position out, and tells whether it was in.
    pub(super) fn remove(&mut self, position: u32) -> bool {
        let word = &mut self.words[position as usize / 64];
        let bit = 1 << (position % 64);
        let contained = *word & bit != 0;
        *word &= !bit;
        contained
    }

    pub(super) fn intersect(&mut self, other: &Bitset) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    pub(super) fn unite(&mut self, other: &Bitset) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    pub(super) fn complement(&mut self) {
        for word in &mut self.words {
            *word = !*word;
        }
        self.clear_tail();
    }

    pub(super) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(super) fn is_full(&self) -> bool {
        match self.words.split_last() {
            None => true,
            Some((last, words)) => {
                words.iter().all(|word| *word == u64::MAX)
                    && last.count_ones() as usize == self.len - words.len() * 64
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(index as u32 * 64 + bit)
            })
        })
    }

    fn clear_tail(&mut self) {
        if let Some(last) = self.words.last_mut()
            && !self.len.is_multiple_of(64)
        {
            *last &= (1 << (self.len % 64)) - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complement_holds_nothing_behind_its_end() {
        for len in [0, 1, 63, 64, 65, 128, 130] {
            let mut set = Bitset::none(len);
            assert!(set.is_empty());
            set.complement();
            assert_eq!(set, Bitset::all(len));
            assert_eq!(set.count(), len);
            assert!(set.is_full());
            assert_eq!(set.iter().count(), len);
        }
    }

    #[test]
    fn positions_come_back_in_order() {
        let mut set = Bitset::none(200);
        for position in [199, 0, 64, 63] {
            set.insert(position);
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 199]);
        assert!(set.remove(64) && !set.remove(64) && !set.remove(65));
        assert_eq!(set.count(), 3);
    }
}
