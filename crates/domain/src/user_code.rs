//! The code that a person compares, or types, to let a program in (RFC 8628).

use std::fmt;

/// Eight letters, shown in two halves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    /// Consonants alone, so that no word comes out, and none that is taken for another (RFC 8628, §6.1).
    const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    const LENGTH: usize = 8;

    /// The code that random bytes give: 34.6 bits of them. `None` when they are too few, as some are passed over so that each
    /// letter is equally likely.
    pub fn from_random(bytes: &[u8]) -> Option<UserCode> {
        const FAIR: usize = 256 / UserCode::LETTERS.len() * UserCode::LETTERS.len();
        let fair = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < FAIR);
        let code: String = fair
            .map(|byte| char::from(Self::LETTERS[byte % Self::LETTERS.len()]))
            .take(Self::LENGTH)
            .collect();
        (code.len() == Self::LENGTH).then_some(UserCode(code))
    }

    /// Reads a code as somebody typed it: in either case, with whatever between the letters.
    pub fn parse(text: &str) -> Option<UserCode> {
        let letters =
            text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase());
        let code: String = letters.take(Self::LENGTH + 1).collect();
        let fits = code.len() == Self::LENGTH && code.bytes().all(|letter| Self::LETTERS.contains(&letter));
        fits.then_some(UserCode(code))
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(Self::LENGTH / 2);
        write!(f, "{first}-{second}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = UserCode::from_random(&[0, 1, 2, 3, 255, 19, 18, 17, 16, 250]).expect("enough bytes");
        assert_eq!(code.to_string(), "BCDF-ZXWV");
        for typed in ["BCDF-ZXWV", "bcdfzxwv", " bcdf zxwv ", "b-c-d-f-z-x-w-v"] {
            assert_eq!(UserCode::parse(typed), Some(code.clone()), "{typed}");
        }
        for wrong in ["", "BCDF", "BCDF-ZXWVV", "ACDF-ZXWV", "BCDF-ZXW1", "ＢCDF-ZXWV", "BCDF_ZXWV"] {
            assert_eq!(UserCode::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_letter_is_equally_likely() {
        assert_eq!(
            UserCode::from_random(&[255; 100]),
            None,
            "bytes that would favour some letters are passed over"
        );
        assert_eq!(UserCode::from_random(&[1; 7]), None);
        let bytes: Vec<u8> = (0..240).collect();
        let mut counts = [0; 256];
        for chunk in bytes.chunks(8) {
            let code = UserCode::from_random(chunk).expect("enough bytes");
            code.0.bytes().for_each(|letter| counts[usize::from(letter)] += 1);
        }
        assert!(UserCode::LETTERS.iter().all(|letter| counts[usize::from(*letter)] == 12));
    }
}
