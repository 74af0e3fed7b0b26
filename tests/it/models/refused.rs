//! Models whose bytes, shapes, names, labels or calibration do not fit their manifest: each is refused, with a reason
//! that names the model or file, what is wrong and how to mend it.

use std::path::{Path, PathBuf};

use vigie::model::{Manifest, ModelError, Scorer};

use super::{root, shipped};

/// A copy of the models folder that a test may break.
struct Copy(tempfile::TempDir);

impl Copy {
    fn new() -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        for file in ["manifest.toml", "chat/chat.onnx", "frame/backbone.onnx", "frame/look.onnx"] {
            let to = copy.path(file);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(root().join("models").join(file), to).unwrap();
        }
        // Only chat's first stage and frame are looked at here.
        let mut table: toml::Table = copy.text().parse().unwrap();
        if let Some(models) = table["model"].as_array_mut() {
            models.retain(|m| matches!(m["name"].as_str(), Some("chat" | "frame")));
            models.iter_mut().filter_map(|m| m.as_table_mut()).for_each(|m| {
                m.remove("second");
                m.remove("third");
            });
        }
        copy.write(&table);
        copy
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path("manifest.toml")).unwrap()
    }

    fn write(&self, table: &toml::Table) {
        std::fs::write(self.path("manifest.toml"), toml::to_string(table).unwrap()).unwrap();
    }

    /// Changes the entry of a model.
    fn entry(&self, model: &str, change: impl FnOnce(&mut toml::Table)) {
        let mut table: toml::Table = self.text().parse().unwrap();
        let models = table["model"].as_array_mut().unwrap();
        let entry = models.iter_mut().find(|m| m["name"].as_str() == Some(model)).unwrap();
        change(entry.as_table_mut().unwrap());
        self.write(&table);
    }

    fn open(&self) -> Result<(), ModelError> {
        let manifest = Manifest::load(&self.path("manifest.toml"))?;
        Scorer::open(&manifest).map(|_| ())
    }
}

fn value(text: &str) -> toml::Value {
    format!("x = {text}").parse::<toml::Table>().unwrap()["x"].clone()
}

fn digest(path: &Path) -> toml::Value {
    vigie::event::Digest::of(&std::fs::read(path).unwrap()).hex().into()
}

#[test]
fn a_model_that_does_not_fit_its_manifest_is_refused_with_a_reason() {
    if shipped().is_none() {
        return;
    }
    Copy::new().open().expect("the copy itself is whole");
    type Break = Box<dyn Fn(&Copy)>;
    let chat = |change: fn(&mut toml::Table)| -> Break {
        Box::new(move |copy| copy.entry("chat", change))
    };
    let frame = |change: fn(&mut toml::Table)| -> Break {
        Box::new(move |copy| copy.entry("frame", change))
    };
    // What is broken, and what the reason must name: the model or file, what is wrong, how to mend it.
    let cases: Vec<(&str, Break, &[&str])> = vec![
        (
            "bytes",
            Box::new(|copy| {
                let file = copy.path("chat/chat.onnx");
                let mut bytes = std::fs::read(&file).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                std::fs::write(&file, bytes).unwrap();
            }),
            &["chat@", "chat/chat.onnx", "SHA-256", "restore the file"],
        ),
        (
            "bytes of the look's head",
            Box::new(|copy| std::fs::write(copy.path("frame/look.onnx"), b"x").unwrap()),
            &["frame@", "frame/look.onnx", "SHA-256", "restore the file"],
        ),
        (
            "no graph",
            Box::new(|copy| {
                let file = copy.path("chat/chat.onnx");
                let bytes = std::fs::read(&file).unwrap();
                std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
                copy.entry("chat", |entry| entry["sha256"] = digest(&file));
            }),
            &["chat@", "chat/chat.onnx", "ONNX Runtime refuses", "use a graph"],
        ),
        (
            "no file",
            Box::new(|copy| std::fs::remove_file(copy.path("frame/backbone.onnx")).unwrap()),
            &["frame@", "frame/backbone.onnx", "cannot be read", "install the models folder"],
        ),
        (
            "another graph",
            Box::new(|copy| {
                let look = copy.path("frame/look.onnx");
                std::fs::copy(&look, copy.path("chat/chat.onnx")).unwrap();
                copy.entry("chat", |entry| entry["sha256"] = digest(&look));
            }),
            &["chat@", "chat/chat.onnx", "no input `ids`", "features", "correct the manifest"],
        ),
        (
            "input shape",
            chat(|e| e["inputs"][1]["shape"] = value(r#"["batch", 7]"#)),
            &[
                "chat@",
                "`context`",
                "chat/chat.onnx",
                "[-1, 6]",
                "[batch, 7]",
                "correct the manifest",
            ],
        ),
        (
            "input type",
            chat(|e| e["inputs"][0]["type"] = "f32".into()),
            &["chat@", "`ids`", "chat/chat.onnx", "i32 [-1, -1]", "f32 [batch, length]"],
        ),
        (
            "input name",
            chat(|e| e["inputs"][0]["name"] = "tokens".into()),
            &[
                "chat@",
                "chat/chat.onnx",
                "no input `tokens`",
                "ids",
                "correct the manifest's names",
            ],
        ),
        (
            "output name",
            frame(|e| e["outputs"][0]["name"] = "logits".into()),
            &[
                "frame@",
                "frame/backbone.onnx",
                "no output `logits`",
                "correct the manifest's names",
            ],
        ),
        (
            "picture size",
            frame(|e| e["preprocess"]["width"] = 192.into()),
            &["frame@", "192 × 224", "[batch, 3, 224, 224]", "correct the entry"],
        ),
        (
            "picture scale",
            frame(|e| e["preprocess"]["std"] = value("[128.0, 0.0, 128.0]")),
            &["frame@", "std", "correct the entry"],
        ),
        (
            "head of other width",
            frame(|e| e["look"]["inputs"][0]["shape"] = value(r#"["batch", 8, 1281]"#)),
            &["frame@", "`features`", "frame/look.onnx", "1281", "correct the manifest"],
        ),
        (
            "views beyond the head's rows",
            frame(|e| {
                let look = e["look"].as_table_mut().unwrap();
                look.insert("views".into(), value("{ moving = 7, whole = 2 }"));
            }),
            &["frame@", "views", "8 in all", "correct the entry"],
        ),
        (
            "a label too few",
            chat(|e| {
                e["outputs"][0]["labels"].as_array_mut().unwrap().pop();
                e["calibration"].as_table_mut().unwrap().remove("toxicity");
            }),
            &["chat@", "`scores`", "8 columns, 7 names", "name every column"],
        ),
        (
            "no labels",
            chat(|e| {
                e["outputs"][0].as_table_mut().unwrap().remove("labels");
                e.remove("calibration");
            }),
            &["chat@", "no labels", "name every column"],
        ),
        (
            "a label not known",
            chat(|e| e["outputs"][0]["labels"][0] = "menace".into()),
            &["chat@", "`menace`", "docs/models.md"],
        ),
        (
            "a column not known",
            chat(|e| e["inputs"][1]["columns"][2] = "play".into()),
            &["chat@", "`play`", "paid, real, game, sport, fiction, unknown"],
        ),
        (
            "columns without a number",
            chat(|e| e["inputs"][1]["shape"] = value(r#"["batch", "settings"]"#)),
            &["chat@", "`context`", "chat/chat.onnx", "[batch, settings]", "correct the manifest"],
        ),
        (
            "calibration that falls",
            chat(|e| e["calibration"]["threat"] = value("[[0.0, 0.5], [1.0, 0.2]]")),
            &["chat@", "`threat`", "rising", "at least two points"],
        ),
        (
            "calibration out of range",
            frame(|e| e["calibration"]["violence"] = value("[[0.0, 0.0], [1.0, 1.5]]")),
            &["frame@", "`violence`", "within 0..1", "at least two points"],
        ),
        (
            "calibration of nothing",
            frame(|e| {
                let line = value("[[0.0, 0.0], [1.0, 1.0]]");
                e["calibration"].as_table_mut().unwrap().insert("nudity".into(), line);
            }),
            &["frame@", "`nudity`", "does not give", "remove it"],
        ),
        (
            "two models of one label",
            Box::new(|copy| {
                let mut table: toml::Table = copy.text().parse().unwrap();
                let models = table["model"].as_array_mut().unwrap();
                let mut twin = models[0].clone();
                twin["name"] = "twin".into();
                models.push(twin);
                copy.write(&table);
            }),
            &["manifest.toml", "two models give the label `threat`", "take the label out"],
        ),
        (
            "a key not known",
            chat(|e| drop(e.insert("licens".into(), "x".into()))),
            &["manifest.toml", "licens", "models/manifest.toml of this version"],
        ),
        (
            "another schema",
            Box::new(|copy| {
                let text = copy.text().replace("schema = 1", "schema = 2");
                std::fs::write(copy.path("manifest.toml"), text).unwrap();
            }),
            &["manifest.toml", "schema 2", "use the models of this version"],
        ),
    ];
    for (what, broken, needles) in cases {
        let copy = Copy::new();
        broken(&copy);
        let error = copy.open().expect_err(what).to_string();
        for needle in needles {
            assert!(error.contains(needle), "{what}: {needle:?} is not told in: {error}");
        }
    }
}
