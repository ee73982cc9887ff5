//! `zoo list`, `zoo record`, `zoo check`, `zoo differ`, `zoo coverage`, `zoo mutate`: see `README.md`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail, ensure};
use gopsy_zoo::differ::{self, Bench, Report};
use gopsy_zoo::mutate::{self, Plan};
use gopsy_zoo::{
    Aspect, BuildMode, CORE_VERSIONS, Failure, Kit, PublicProgram, RECORDING_FOLDER, Specimen, Toolchain, VERSIONS,
    Workshop, Zoo,
};

const USAGE: &str = "usage:
  zoo list
  zoo record [--only NAME] [--go VERSION]
  zoo check --gopsy PATH [--only NAME] [--go VERSION] [--verbose]
  zoo differ [--only NAME] [--go VERSION] [--mode MODE] [--each N | --programs] [--jobs N] [--keep DIR] [--table FILE] [--verbose]
  zoo coverage FOLDER
  zoo mutate FOLDER… [--count N] [--seed S] [--jobs J] [--only CASE] [--log FILE]";

/// Where `zoo differ` makes its runs when they are not to be kept.
const DIFFER_FOLDER: &str = "/tmp/zoo-differ";

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("zoo: {error:#}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("zoo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, Default)]
struct Arguments {
    verb: String,
    only: Option<String>,
    go: Option<String>,
    gopsy: Option<PathBuf>,
    verbose: bool,
    mode: Option<BuildMode>,
    each: Option<usize>,
    programs: bool,
    jobs: Option<usize>,
    keep: Option<PathBuf>,
    table: Option<PathBuf>,
    folders: Vec<PathBuf>,
    count: Option<u64>,
    seed: Option<u64>,
    log: Option<PathBuf>,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut arguments = Self { verb: words.next().context("a verb is missing")?, ..Self::default() };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} wants a value"));
            match word.as_str() {
                "--only" => arguments.only = Some(value()?),
                "--go" => arguments.go = Some(value()?),
                "--gopsy" => arguments.gopsy = Some(value()?.into()),
                "--verbose" => arguments.verbose = true,
                "--mode" => {
                    let word = value()?;
                    let mode = BuildMode::parse(&word).with_context(|| format!("there is no build mode {word}"))?;
                    arguments.mode = Some(mode);
                }
                "--each" => arguments.each = Some(value()?.parse().context("--each wants a number")?),
                "--programs" => arguments.programs = true,
                "--jobs" => arguments.jobs = Some(value()?.parse().context("--jobs wants a number")?),
                "--keep" => arguments.keep = Some(value()?.into()),
                "--table" => arguments.table = Some(value()?.into()),
                "--count" => arguments.count = Some(value()?.parse().context("--count wants a number")?),
                "--seed" => arguments.seed = Some(value()?.parse().context("--seed wants a number")?),
                "--log" => arguments.log = Some(value()?.into()),
                folder if ["mutate", "coverage"].contains(&&*arguments.verb) && !folder.starts_with("--") => {
                    arguments.folders.push(folder.into());
                }
                _ => bail!("unknown argument {word}"),
            }
        }
        if let Some(go) = &arguments.go {
            let known: &[&str] = if arguments.verb == "differ" { &CORE_VERSIONS } else { &VERSIONS };
            ensure!(known.contains(&go.as_str()), "Go {go} is not one of {known:?}");
        }
        Ok(arguments)
    }

    fn wants(&self, version: &str) -> bool {
        self.go.as_deref().is_none_or(|go| go == version)
    }
}

/// True when all went well.
fn run(arguments: &Arguments) -> Result<bool> {
    if arguments.verb == "mutate" {
        return mutate(arguments);
    }
    if arguments.verb == "coverage" {
        let [folder] = arguments.folders.as_slice() else { bail!("coverage wants a folder of `zoo differ --keep`") };
        print!("{}", gopsy_zoo::coverage::table(folder)?);
        return Ok(true);
    }
    let mut specimens = Zoo::own()?.specimens;
    if let Some(only) = arguments.only.as_ref().filter(|_| !arguments.programs) {
        specimens.retain(|s| &s.name == only);
        ensure!(!specimens.is_empty(), "there is no specimen {only}");
    }
    match arguments.verb.as_str() {
        "list" => list(&specimens),
        "record" => record(&specimens, arguments),
        "check" => check(&specimens, arguments),
        "differ" => differ(&specimens, arguments),
        verb => bail!("there is no verb {verb}\n{USAGE}"),
    }
}

fn list(specimens: &[Specimen]) -> Result<bool> {
    for specimen in specimens {
        let versions = specimen.expect.versions();
        let says = specimen.expect.says(versions.last().unwrap_or(&""));
        println!(
            "{:<24} {:<20} {:<40} {:<34} {}",
            specimen.name,
            says.kind.unwrap_or_default(),
            says.cause.unwrap_or_default().join(" "),
            versions.join(" "),
            specimen.expect.counter_to.as_deref().unwrap_or("")
        );
    }
    Ok(true)
}

fn record(specimens: &[Specimen], arguments: &Arguments) -> Result<bool> {
    let folder = PathBuf::from(RECORDING_FOLDER);
    fs::create_dir_all(&folder)?;
    // Texts of two recorders at work in the one folder would be a mixture.
    let lock = fs::File::create(folder.with_extension("lock"))?;
    lock.lock()?;
    let workshop = Workshop::at(folder);
    let mut right = true;
    for version in VERSIONS.iter().filter(|v| arguments.wants(v)) {
        let go = Toolchain::find(version).map_err(anyhow::Error::msg)?;
        for specimen in specimens {
            if !specimen.expect.versions().contains(version) {
                continue;
            }
            match record_one(specimen, &workshop, &go) {
                Ok(()) => println!("{:<24} {}", specimen.name, go.release),
                Err(error) => {
                    right = false;
                    eprintln!("{:<24} {}: {error:#}", specimen.name, go.release);
                }
            }
        }
    }
    Ok(right)
}

fn record_one(specimen: &Specimen, workshop: &Workshop, go: &Toolchain) -> Result<()> {
    let outcome = workshop.run(specimen, go)?;
    let path = specimen.text_path(&go.version);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, &outcome.text)?;
    let wanted = specimen.expect.run.exit;
    ensure!(outcome.exit == wanted, "exit status {}, expected {wanted}", outcome.exit);
    Ok(())
}

/// What was right and wrong over many texts.
#[derive(Debug, Default)]
struct Tally {
    texts: usize,
    kind: (usize, usize),
    cause: (usize, usize),
    culprit: (usize, usize),
    false_claims: usize,
    abstentions: usize,
    failed_texts: usize,
}

fn check(specimens: &[Specimen], arguments: &Arguments) -> Result<bool> {
    let gopsy = arguments.gopsy.as_ref().context("check wants --gopsy PATH")?;
    let mut tally = Tally::default();
    for specimen in specimens {
        for version in specimen.expect.versions() {
            if arguments.wants(version) {
                let answer = gopsy_zoo::explain(gopsy, specimen.text(version)?.as_bytes());
                tally.add(specimen, version, answer, arguments.verbose);
            }
        }
    }
    println!(
        "{} texts: kind {}/{}, culprit {}/{}, cause {}/{}, {} false claims, {} abstentions, {} texts with a failure",
        tally.texts,
        tally.kind.0,
        tally.kind.1,
        tally.culprit.0,
        tally.culprit.1,
        tally.cause.0,
        tally.cause.1,
        tally.false_claims,
        tally.abstentions,
        tally.failed_texts
    );
    Ok(tally.failed_texts == 0 && tally.texts > 0)
}

impl Tally {
    fn add(&mut self, specimen: &Specimen, version: &str, answer: Result<serde_json::Value>, verbose: bool) {
        let name = &specimen.name;
        let answer = answer.unwrap_or_else(|error| {
            println!("{name} go{version}: no answer: {error:#}");
            serde_json::Value::Null
        });
        let failures = gopsy_zoo::check(specimen, version, &answer);
        let failed =
            |aspects: &[Aspect]| failures.iter().any(|f| f.aspect == Aspect::Schema || aspects.contains(&f.aspect));
        let count = |(right, all): &mut (usize, usize), asked: bool, aspects: &[Aspect]| {
            *all += usize::from(asked);
            *right += usize::from(asked && !failed(aspects));
        };
        let says = specimen.expect.says(version);
        self.texts += 1;
        count(&mut self.kind, says.kind.is_some(), &[Aspect::Kind]);
        count(&mut self.culprit, says.culprit.is_some(), &[Aspect::Culprit]);
        count(&mut self.cause, says.cause.is_some(), &[Aspect::Cause, Aspect::Abstained, Aspect::FalseClaim]);
        self.false_claims += usize::from(failures.iter().any(|f| f.aspect == Aspect::FalseClaim));
        self.abstentions += usize::from(answer["verdict"]["cause"] == "unknown");
        self.failed_texts += usize::from(!failures.is_empty());
        report(name, version, &answer, &failures, verbose);
    }
}

fn report(name: &str, version: &str, answer: &serde_json::Value, failures: &[Failure], verbose: bool) {
    for failure in failures {
        println!("{name} go{version}: {failure}");
    }
    if verbose {
        let verdict = &answer["verdict"];
        println!(
            "{name} go{version}: kind {}, cause {} ({}), culprit {} {}:{}",
            verdict["kind"],
            verdict["cause"],
            verdict["confidence"],
            verdict["culprit"]["function"],
            verdict["culprit"]["file"],
            verdict["culprit"]["line"]
        );
    }
}

/// True when every run was compared and equal, but for those that may lack a core or a text.
fn differ(specimens: &[Specimen], arguments: &Arguments) -> Result<bool> {
    if let Some(problem) = gopsy_zoo::core_pattern_problem() {
        bail!(problem);
    }
    let programs = PublicProgram::all()?;
    let (mut cells, left_out) = match arguments.programs {
        true => (differ::program_cells(&programs), BTreeMap::new()),
        false => differ::every_cell(specimens),
    };
    cells.retain(|c| arguments.only.as_ref().is_none_or(|only| only == c.subject.name()));
    cells.retain(|c| arguments.wants(c.version) && arguments.mode.is_none_or(|mode| mode == c.mode));
    ensure!(!cells.is_empty(), "there is no such run");
    if let Some(each) = arguments.each {
        cells = differ::pairwise(&cells, each);
    }
    let versions: Vec<&'static str> = CORE_VERSIONS.into_iter().filter(|v| arguments.wants(v)).collect();
    let kit = Kit::find(&versions);
    let folder = arguments.keep.clone().unwrap_or_else(|| DIFFER_FOLDER.into());
    fs::create_dir_all(&folder)?;
    // Two at work in one folder would take each other's cores.
    let lock = fs::File::create(folder.with_extension("lock"))?;
    lock.lock()?;
    let bench = Bench::at(&folder, arguments.keep.is_some());
    let jobs = arguments.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let report = Mutex::new(Report::default());
    bench.run(&cells, &kit, jobs, &|cell, outcome| {
        let line = report.lock().ok().and_then(|mut report| report.add(cell, outcome));
        if let Some(line) = line {
            println!("{line}");
        }
        if let differ::Outcome::Compared { different, permitted } = outcome
            && arguments.verbose
        {
            different.iter().for_each(|difference| println!("    {difference}"));
            for (name, differences) in permitted {
                differences.iter().for_each(|difference| println!("    {}: ({name}) {difference}", cell.name()));
            }
        }
    });
    let report = report.into_inner().context("a run ended the report")?;
    print!("{}", report.counts());
    for (why, count) in &left_out {
        println!("  left out {count} of all runs: {why}");
    }
    match &arguments.table {
        Some(file) => fs::write(file, report.table())?,
        None => print!("\n{}", report.table()),
    }
    Ok(report.is_right())
}

/// Cases of each core when nobody says how many.
const CASES: u64 = 1000;

/// True when nothing was found.
fn mutate(arguments: &Arguments) -> Result<bool> {
    ensure!(!arguments.folders.is_empty(), "mutate wants a folder with cores");
    let only = arguments.only.as_ref().map(|only| only.parse().context("--only wants a number")).transpose()?;
    let mut pairs = Vec::new();
    for folder in &arguments.folders {
        pairs.extend(mutate::pairs(folder)?);
    }
    ensure!(!pairs.is_empty(), "there is no core with its binary in these folders");
    let each = arguments.count.map_or(CASES, |count| count.div_ceil(pairs.len() as u64));
    let jobs = arguments.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let running = match &arguments.log {
        Some(path) => Some(Arc::new(fs::File::create(path.with_added_extension("running"))?)),
        None => None,
    };
    let plan = Plan { count: each, seed: arguments.seed.unwrap_or(1), jobs, only, running };
    let mut log = match &arguments.log {
        Some(path) => Some(fs::File::options().create(true).append(true).open(path)?),
        None => None,
    };
    let report = Mutex::new(mutate::Report::default());
    for pair in &pairs {
        // What cannot be read as it is says nothing when it is damaged.
        let ran = mutate::run(pair, &plan, &report);
        if let (Err(error), Ok(mut report)) = (ran, report.lock()) {
            report.left_out.push(format!("{}: {error:#}", pair.core.display()));
        }
        let sums = report.lock().map_or_else(|_| String::new(), |report| report.to_string());
        let line = format!("{}\n{sums}\n", pair.core.display());
        if let Some(log) = &mut log {
            log.write_all(line.as_bytes())?;
        }
    }
    let report = report.into_inner().context("a case ended the report")?;
    println!("{report}");
    Ok(report.findings() == 0 && report.cases > 0)
}
