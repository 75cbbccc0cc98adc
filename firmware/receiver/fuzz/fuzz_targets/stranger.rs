#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    loa_receiver_fuzz::count(input);
    loa_receiver_fuzz::attempts::stranger(input);
});
