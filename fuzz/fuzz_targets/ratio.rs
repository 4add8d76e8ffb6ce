#![no_main]

use libfuzzer_sys::fuzz_target;
use span::Ratio;

fuzz_target!(|text: &str| {
    if let Ok(ratio) = text.parse::<Ratio>() {
        assert!((0.0..=1.0).contains(&ratio.share()));
        assert_eq!(ratio.to_string().parse(), Ok(ratio));
    }
});
