//! Where the daemon finds that things move: the trainer's own arithmetic is held against this. JSON Lines come in on
//! standard input, each a list of the paths of one look's pictures; for each `[left, top, right, bottom]` goes out, in
//! fractions of the picture.

use std::io::BufRead;

use vigie::model::image::{Eye, Picture};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut eye = Eye::default();
    for line in std::io::stdin().lock().lines() {
        let paths: Vec<std::path::PathBuf> = serde_json::from_str(&line?)?;
        let read =
            |path| Ok::<_, Box<dyn std::error::Error>>(Picture::decode(&std::fs::read(path)?)?);
        let pictures = paths.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let part = eye.moving(&pictures);
        println!("{}", serde_json::to_string(&[part.left, part.top, part.right, part.bottom])?);
    }
    Ok(())
}
