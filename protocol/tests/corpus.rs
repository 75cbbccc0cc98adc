//! What fuzzing once found worth keeping (`protocol/fuzz/corpus`), given to the decoders again.

mod decoders;
mod keys;

#[test]
fn the_corpus_is_borne() {
    for (name, attempt) in decoders::ALL {
        let folder = format!("{}/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
        let mut tried = 0;
        for file in files {
            let file = file.unwrap().path();
            println!("{}", file.display());
            attempt(&std::fs::read(file).unwrap());
            tried += 1;
        }
        assert!(tried >= 4, "{folder} holds {tried} inputs");
    }
}
