//! Files made in memory, one for each thing that can be wrong, and random damage to sound ones.

use std::io::Cursor;

use super::{Facts, GgufError, check_reader};

const U32: u32 = 4;
const STRING: u32 = 8;
const ARRAY: u32 = 9;
const Q4_0: u32 = 2;

fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text);
}

#[derive(Clone)]
struct Tensor {
    name: Vec<u8>,
    dimensions: Vec<u64>,
    kind: u32,
    offset: u64,
}

/// A file in the making: sound as `default` gives it.
#[derive(Clone)]
struct Draft {
    magic: [u8; 4],
    version: u32,
    tensor_count: Option<u64>,
    pair_count: Option<u64>,
    /// Keys, types and encoded values.
    pairs: Vec<(Vec<u8>, u32, Vec<u8>)>,
    tensors: Vec<Tensor>,
    alignment: usize,
    data: usize,
}

impl Default for Draft {
    fn default() -> Self {
        let mut draft = Self {
            magic: *b"GGUF",
            version: 3,
            tensor_count: None,
            pair_count: None,
            pairs: Vec::new(),
            tensors: vec![
                Tensor {
                    name: b"a".into(),
                    dimensions: vec![32, 2],
                    kind: Q4_0,
                    offset: 0,
                },
                Tensor {
                    name: b"b".into(),
                    dimensions: vec![3],
                    kind: 0,
                    offset: 64,
                },
            ],
            alignment: 32,
            data: 96,
        };
        draft.string("general.architecture", b"llama");
        draft.string("general.name", b"Tiny");
        draft.pair("llama.context_length", U32, &2048_u32.to_le_bytes());
        draft.pair("llama.block_count", U32, &2_u32.to_le_bytes());
        draft.pair("llama.embedding_length", U32, &64_u32.to_le_bytes());
        draft.pair("llama.attention.head_count", U32, &4_u32.to_le_bytes());
        draft.pair("llama.attention.head_count_kv", U32, &2_u32.to_le_bytes());
        draft.string("tokenizer.chat_template", b"{{ messages }}");
        let mut list = Vec::from(STRING.to_le_bytes());
        list.extend(2_u64.to_le_bytes());
        text(&mut list, b"<s>");
        text(&mut list, b"");
        draft.pair("tokenizer.ggml.tokens", ARRAY, &list);
        draft
    }
}

impl Draft {
    fn pair(&mut self, key: &str, kind: u32, value: &[u8]) {
        self.pairs.push((key.into(), kind, value.to_owned()));
    }

    fn string(&mut self, key: &str, value: &[u8]) {
        let mut encoded = Vec::new();
        text(&mut encoded, value);
        self.pair(key, STRING, &encoded);
    }

    fn without(mut self, key: &str) -> Self {
        self.pairs.retain(|(other, ..)| other != key.as_bytes());
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::from(self.magic);
        out.extend(self.version.to_le_bytes());
        out.extend(
            self.tensor_count
                .unwrap_or(self.tensors.len() as u64)
                .to_le_bytes(),
        );
        out.extend(
            self.pair_count
                .unwrap_or(self.pairs.len() as u64)
                .to_le_bytes(),
        );
        for (key, kind, value) in &self.pairs {
            text(&mut out, key);
            out.extend(kind.to_le_bytes());
            out.extend(value);
        }
        for tensor in &self.tensors {
            text(&mut out, &tensor.name);
            out.extend((tensor.dimensions.len() as u32).to_le_bytes());
            for size in &tensor.dimensions {
                out.extend(size.to_le_bytes());
            }
            out.extend(tensor.kind.to_le_bytes());
            out.extend(tensor.offset.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(self.alignment) + self.data, 0);
        out
    }
}

fn check(bytes: &[u8]) -> Result<Facts, GgufError> {
    check_reader(Cursor::new(bytes), bytes.len() as u64)
}

/// A draft with one change.
fn with(change: impl FnOnce(&mut Draft)) -> Vec<u8> {
    let mut draft = Draft::default();
    change(&mut draft);
    draft.bytes()
}

fn array(kind: u32, count: u64, rest: &[u8]) -> Vec<u8> {
    let mut value = Vec::from(kind.to_le_bytes());
    value.extend(count.to_le_bytes());
    value.extend(rest);
    value
}

#[test]
fn sound_files_are_accepted_and_described() {
    let facts = check(&Draft::default().bytes()).unwrap();
    assert_eq!(
        facts,
        Facts {
            name: Some("Tiny".into()),
            licence: None,
            context_length: Some(2048),
            // Two layers of two heads of 16 numbers, keys and values, two bytes each.
            cache_bytes_per_token: Some(2 * 2 * (16 + 16) * 2),
        }
    );
    let unpadded = with(|d| d.data = 64 + 12);
    assert!(check(&unpadded).is_ok(), "a last tensor without padding");
    assert!(check(&with(|d| d.version = 2)).is_ok());
    let aligned = with(|d| {
        d.pair("general.alignment", U32, &64_u32.to_le_bytes());
        d.alignment = 64;
        d.data = 128;
    });
    assert!(check(&aligned).is_ok());
}

/// Every kind of malformed file with the beginning of the reason it is refused for.
fn malformed() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let whole = Draft::default().bytes();
    let mut foreign_end = whole.clone();
    foreign_end.extend([0; 40]);
    let long = |d: &mut Draft, value: &[u8]| d.pair("x", STRING, value);
    vec![
        ("empty", Vec::new(), "it is no GGUF file"),
        (
            "not a model",
            b"hello, I am no model".to_vec(),
            "it is no GGUF file",
        ),
        ("magic", with(|d| d.magic = *b"GGML"), "it is no GGUF file"),
        (
            "magic alone",
            b"GGUF".to_vec(),
            "it ends in the middle of the header",
        ),
        (
            "version 0",
            with(|d| d.version = 0),
            "it is of GGUF version 0",
        ),
        (
            "version 1",
            with(|d| d.version = 1),
            "it is of GGUF version 1",
        ),
        (
            "version 4",
            with(|d| d.version = 4),
            "it is of GGUF version 4",
        ),
        (
            "big-endian",
            with(|d| d.version = 3 << 24),
            "it was written for a big-endian",
        ),
        (
            "tensors without end",
            with(|d| d.tensor_count = Some(u64::MAX)),
            "it declares 18446744073709551615 tensors",
        ),
        (
            "tensors that are not there",
            with(|d| d.tensor_count = Some(9000)),
            "a tensor has no name",
        ),
        (
            "pairs without end",
            with(|d| d.pair_count = Some(1 << 62)),
            "it declares 4611686018427387904 pairs",
        ),
        (
            "pairs that are not there",
            with(|d| d.pair_count = Some(60_000)),
            "a key of its metadata is 562949953421312 bytes long",
        ),
        (
            "no tensors",
            with(|d| d.tensors.clear()),
            "it holds no weights",
        ),
        (
            "empty key",
            with(|d| d.string("", b"x")),
            "a key of its metadata is empty",
        ),
        (
            "long key",
            with(|d| d.string(&"k".repeat(300), b"x")),
            "a key of its metadata is 300 bytes",
        ),
        (
            "binary key",
            with(|d| d.pairs.push((vec![0xff, 0xfe], STRING, vec![0; 8]))),
            "its key is not UTF-8",
        ),
        (
            "duplicate key",
            with(|d| d.string("general.name", b"Twin")),
            "the key general.name occurs twice",
        ),
        (
            "unknown value type",
            with(|d| d.pair("x", 13, &[0; 8])),
            "the key x has the unknown type 13",
        ),
        (
            "negative value type",
            with(|d| d.pair("x", u32::MAX, &[0; 8])),
            "the key x has the unknown type 4294967295",
        ),
        (
            "unknown element type",
            with(|d| d.pair("x", ARRAY, &array(77, 1, &[0; 8]))),
            "the key x has the unknown type 77",
        ),
        (
            "array of arrays",
            with(|d| d.pair("x", ARRAY, &array(ARRAY, 1, &[0; 20]))),
            "the key x holds an array of arrays",
        ),
        (
            "array without end",
            with(|d| d.pair("x", ARRAY, &array(10, u64::MAX / 8 + 2, &[]))),
            "the key x declares 2305843009213693953 elements",
        ),
        (
            "array beyond the file",
            with(|d| d.pair("x", ARRAY, &array(12, 100_000, &[]))),
            "it ends in the middle of an array",
        ),
        (
            "texts beyond the file",
            with(|d| d.pair("x", ARRAY, &array(STRING, 90_000, &[]))),
            "it ends in the middle of a list of texts",
        ),
        (
            "text without end",
            with(|d| long(d, &u64::MAX.to_le_bytes())),
            "it ends in the middle of a text",
        ),
        (
            "text beyond the file",
            with(|d| long(d, &5000_u64.to_le_bytes())),
            "it ends in the middle of a text",
        ),
        (
            "truth value",
            with(|d| d.pair("x", 7, &[2])),
            "the key x holds a truth value",
        ),
        (
            "alignment 0",
            with(|d| d.pair("general.alignment", U32, &0_u32.to_le_bytes())),
            "its alignment is 0",
        ),
        (
            "alignment 33",
            with(|d| d.pair("general.alignment", U32, &33_u32.to_le_bytes())),
            "its alignment is 33",
        ),
        (
            "huge alignment",
            with(|d| d.pair("general.alignment", U32, &(1_u32 << 31).to_le_bytes())),
            "its alignment is 2147483648",
        ),
        (
            "alignment as text",
            with(|d| d.string("general.alignment", b"32")),
            "the key general.alignment has a value of the wrong type",
        ),
        (
            "alignment as u64",
            with(|d| d.pair("general.alignment", 10, &32_u64.to_le_bytes())),
            "the key general.alignment has a value of the wrong type",
        ),
        (
            "no architecture",
            Draft::default().without("general.architecture").bytes(),
            "it does not say of what architecture",
        ),
        (
            "architecture as number",
            {
                let mut d = Draft::default().without("general.architecture");
                d.pair("general.architecture", U32, &[0; 4]);
                d.bytes()
            },
            "the key general.architecture has a value of the wrong type",
        ),
        (
            "strange architecture",
            {
                let mut d = Draft::default().without("general.architecture");
                d.string("general.architecture", b"../llama\n");
                d.bytes()
            },
            "the name of its architecture",
        ),
        (
            "eyes without a model",
            {
                let mut d = Draft::default().without("general.architecture");
                d.string("general.architecture", b"clip");
                d.bytes()
            },
            "it is only the part of a model that sees or hears",
        ),
        (
            "no vocabulary",
            Draft::default().without("tokenizer.ggml.tokens").bytes(),
            "it brings no vocabulary",
        ),
        (
            "a part of many",
            with(|d| d.pair("split.count", 2, &3_u16.to_le_bytes())),
            "it is one of 3 parts",
        ),
        (
            "nameless tensor",
            with(|d| d.tensors[0].name.clear()),
            "a tensor has no name",
        ),
        (
            "long tensor name",
            with(|d| d.tensors[0].name = vec![b'n'; 64]),
            "a tensor's name is 64 bytes",
        ),
        (
            "duplicate tensor",
            with(|d| d.tensors[1].name = b"a".into()),
            "the tensor a occurs twice",
        ),
        (
            "no dimensions",
            with(|d| d.tensors[0].dimensions.clear()),
            "the tensor a has 0 dimensions",
        ),
        (
            "five dimensions",
            with(|d| d.tensors[0].dimensions = vec![32; 5]),
            "the tensor a has 5 dimensions",
        ),
        (
            "empty dimension",
            with(|d| d.tensors[0].dimensions[1] = 0),
            "the tensor a has a dimension of 0",
        ),
        (
            "negative dimension",
            with(|d| d.tensors[0].dimensions[1] = u64::MAX),
            "the tensor a has a dimension of 18446744073709551615",
        ),
        (
            "overflowing shape",
            with(|d| d.tensors[0].dimensions = vec![1 << 32, 1 << 31]),
            "the size of the tensor a overflows",
        ),
        (
            "overflowing bytes",
            with(|d| {
                d.tensors[1].dimensions = vec![1 << 61];
            }),
            "the size of the tensor b overflows",
        ),
        (
            "unknown tensor type",
            with(|d| d.tensors[0].kind = 43),
            "the tensor a has the unknown type 43",
        ),
        (
            "removed tensor type",
            with(|d| d.tensors[0].kind = 4),
            "the tensor a has the unknown type 4",
        ),
        (
            "partial block",
            with(|d| d.tensors[0].dimensions[0] = 33),
            "a row of the tensor a has 33 numbers",
        ),
        (
            "offset of a gap",
            with(|d| d.tensors[1].offset = 96),
            "the tensor b begins at 96, not at 64",
        ),
        (
            "overlapping offset",
            with(|d| d.tensors[1].offset = 32),
            "the tensor b begins at 32, not at 64",
        ),
        (
            "unaligned offset",
            with(|d| d.tensors[1].offset = 65),
            "the tensor b begins at 65",
        ),
        (
            "truncated weights",
            whole[..whole.len() - 40].to_vec(),
            "it is 568 bytes long and should be 608: a part of it is missing",
        ),
        (
            "no weights after the table",
            with(|d| d.data = 0),
            "it is 512 bytes long and should be 608: a part of it is missing",
        ),
        (
            "foreign end",
            foreign_end,
            "it is 648 bytes long and should be 608: it has a foreign end",
        ),
    ]
}

#[test]
fn each_kind_of_malformed_file_is_refused_with_its_own_reason() {
    let cases = malformed();
    assert!(cases.len() >= 26);
    for (what, bytes, reason) in cases {
        let error = check(&bytes).expect_err(what);
        let said = error.to_string();
        assert!(
            !reason.is_empty() && said.starts_with(reason),
            "{what}: {said}"
        );
    }
}

#[test]
fn every_beginning_of_a_sound_file_is_refused() {
    let whole = Draft::default().bytes();
    // The last tensor's padding may be missing; nothing else may.
    for length in 0..whole.len() - 20 {
        assert!(
            check(&whole[..length]).is_err(),
            "{length} of {} bytes",
            whole.len()
        );
    }
}

/// xorshift64*, seeded by the clock: a failure prints what it was seeded with.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "a failed run is repeated from its seed"
)]
fn damaged_files_never_panic() {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let seed = std::env::var("PILOTFISH_FUZZ_SEED")
        .map_or(since.as_nanos() as u64 | 1, |seed| seed.parse().unwrap());
    let runs = std::env::var("PILOTFISH_FUZZ_RUNS").map_or(30_000, |runs| runs.parse().unwrap());
    println!("PILOTFISH_FUZZ_SEED={seed}");
    let mut random = Random(seed);
    let sound = Draft::default().bytes();
    let extremes = [0, 1, 0x7f, 0x80, 0xff];
    for _ in 0..runs {
        let mut bytes = sound.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = extremes[random.below(extremes.len())],
                2 => {
                    let end = bytes.len().min(at + 8);
                    bytes[at..end].fill(extremes[random.below(extremes.len())]);
                }
                _ => bytes.truncate(at.max(1)),
            }
        }
        if check(&bytes).is_ok() {
            let tensors = bytes
                .get(8..16)
                .map(|count| count.iter().any(|byte| *byte != 0));
            assert_eq!(
                tensors,
                Some(true),
                "seed {seed}: a file without weights was accepted"
            );
        }
    }
}
