use gopsy_program::{CoreEvidence, CoreOptions, Program};
use gopsy_runtime::Release;
use gopsy_zoo::tables::Reading;
fn main() {
    let versions = [
        "go1.16.0",
        "go1.16.15",
        "go1.17.13",
        "go1.18.10",
        "go1.19.13",
        "go1.20.14",
        "go1.21.13",
        "go1.22.12",
        "go1.23.0",
        "go1.23.4",
        "go1.23.11",
        "go1.23.12",
        "go1.24.0",
        "go1.24.13",
        "go1.25.14",
        "go1.26.11",
        "go1.27.4",
    ];
    for d in std::env::args().skip(1) {
        let dir = std::path::PathBuf::from(&d);
        let core = dir.join("core");
        let right = match CoreEvidence::open(&core, None) {
            Ok(e) => Program::new(e),
            Err(e) => {
                println!("{d}: {e}");
                continue;
            }
        };
        let mut line = format!("{}:", dir.file_name().unwrap().to_string_lossy());
        for v in versions {
            let options = CoreOptions { layouts_of: Release::parse(v), ..CoreOptions::default() };
            match CoreEvidence::open_with(&core, &options) {
                Err(_) => line += " -",
                Ok(e) => {
                    let r = Reading::of(&right, &Program::new(e));
                    line += &format!(" {}:{}/{}/{}", &v[4..], r.true_statements, r.withheld, r.false_statements.len());
                    for f in r.false_statements.iter().take(6) {
                        eprintln!("  FALSE {d} by {v}: {f}");
                    }
                }
            }
        }
        println!("{line}");
    }
}
