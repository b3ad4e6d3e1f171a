//! Masked values are nowhere in a file, and guests that pass them on still replay.

use weir_capsule::{Mask, Verdict};

use crate::common::{PROBE, Recorded, SYSTEM, TOKEN, exchange, read, replayed};

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

/// Everything that a file holds, unpacked.
fn content(file: &[u8]) -> Vec<u8> {
    let capsule = read(file);
    let mut content = format!("{capsule:?}").into_bytes();
    for memory in capsule.image.iter().flat_map(|image| &image.memories) {
        for (_, bytes) in &memory.parts {
            content.extend_from_slice(bytes);
        }
    }
    content
}

#[test]
fn masked_values_are_gone_from_calls_and_memory() {
    let mut recorded = Recorded::new(PROBE, SYSTEM, 1 << 20);
    recorded.deliver(&exchange(2));
    // The token is in the memory of the guest now.
    let image = recorded.vm.snapshot().expect("an image");
    recorded.vm.world().tape.set_image(image);
    recorded.deliver(&exchange(3));
    let taken = recorded.vm.world().tape.take();
    let open = recorded.file_of(&taken, &Mask::default());
    let capsule = read(&open);
    let image = capsule.image.as_ref().expect("an image");
    let parts = image.memories.iter().flat_map(|memory| &memory.parts);
    // Memory that was given back has lost its first bytes.
    let end = &TOKEN[TOKEN.len() - 20..];
    assert!(parts.clone().any(|(_, bytes)| holds(bytes, end)));
    assert!(holds(&content(&open), TOKEN));
    let mask = Mask {
        headers: vec!["authorization".to_owned()],
        variables: vec!["HOME".to_owned()],
        values: Vec::new(),
    };
    let masked = recorded.file_of(&taken, &mask);
    assert!(!holds(&content(&masked), TOKEN) && !holds(&content(&masked), end));
    // It was told at the start, and its record is kept with the image.
    assert!(holds(&content(&open), "/nowhere") && !holds(&content(&masked), "/nowhere"));
    assert_eq!(read(&masked).head.masked, ["authorization"]);
    let replay = replayed(&recorded.program, &masked).expect("it runs");
    assert_eq!(replay.verdict, Verdict::Same);
}
