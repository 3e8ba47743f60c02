//! The main job of the service, shown to a human: reports exported page by page, and as one file, from a real Elasticsearch with
//! sample data.

mod show;

use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use console::style;
use testkit::elasticsearch::{self, Elasticsearch, Origin, Status, Version};
use testkit::interrupt;
use testkit::own_sample::OwnSample;
use testkit::sample::Sample;
use testkit::service::{self, Profile, Service, Start};

/// Shows the main job. Afterwards everything stays until Ctrl-C, or is stopped at once when `exit` is set.
///
/// Any surprise on the way is an error, so `exit` makes a test of it.
pub fn run(exit: bool) -> anyhow::Result<()> {
    interrupt::listen()?;

    heading("The database");
    if let Status::WouldStart(version) = elasticsearch::status(Version::wanted()?)? {
        println!("{}", elasticsearch::start_takes(version));
    }
    let elasticsearch = elasticsearch::for_this_process()?;
    println!(
        "{} {}, {}",
        elasticsearch.product, elasticsearch.version, elasticsearch.origin
    );
    println!(
        "{}",
        testkit::client::without_credentials(&elasticsearch.url)
    );

    let demo = Demo::prepare(elasticsearch)?;
    demo.show(exit)?;
    if !exit {
        demo.wait_for_the_end()?;
    }
    heading("Good-bye");
    demo.stop()?;
    if elasticsearch.origin != Origin::Environment && elasticsearch.origin != Origin::Started {
        elasticsearch::stop_for_this_process();
        println!("{} is stopped, its data deleted", elasticsearch.product);
    }
    Ok(())
}

/// A running service over sample data.
struct Demo {
    program: PathBuf,
    // Fields are dropped in this order: the service ends before its indices are deleted.
    service: Service,
    sample: OwnSample,
    files: tempfile::TempDir,
}

/// Where the service listens: at its own port, which the documents name, or at any other one where somebody has that.
fn address() -> &'static str {
    let usual = "127.0.0.1:8095";
    TcpListener::bind(usual).map_or("127.0.0.1:0", |_| usual)
}

impl Demo {
    fn prepare(elasticsearch: &Elasticsearch) -> anyhow::Result<Self> {
        go_on()?;
        heading("Sample data");
        let sample = OwnSample::new(&elasticsearch.url, "demo")?;
        let loaded = Sample::default().load(&sample.0)?;
        println!(
            "{} documents under the index prefix {}",
            loaded.documents,
            sample.0.prefix()
        );

        go_on()?;
        heading("The service");
        let program = service::build(Profile::Debug)?;
        let service = Service::start(&Start {
            program: &program,
            elasticsearch_url: &elasticsearch.url,
            prefix: sample.0.prefix(),
            arguments: &["--listen", address()],
        })?;
        println!("answers at {}", style(&service.url).bold());
        println!("logs to    {}", service.log().display());
        let files = tempfile::Builder::new()
            .prefix("optimize-export-demo-")
            .tempdir()
            .context("can't make a folder for files")?;
        Ok(Self {
            program,
            service,
            sample,
            files,
        })
    }

    fn show(&self, exit: bool) -> anyhow::Result<()> {
        let client = self.service.client();
        let mut steps: Vec<(&str, show::Step)> = vec![
            ("Stored reports", show::stored_reports),
            ("A raw data report, page by page", show::pages),
            ("A report with one number", show::number),
            ("A grouped report", show::groups),
            ("A report on decisions", show::decisions),
            ("A whole report as one file", show::file),
        ];
        // Nobody can try anything at what stops in a moment.
        if !exit {
            steps.push(("Try it yourself", show::commands));
        }
        for (title, step) in steps {
            go_on()?;
            heading(title);
            step(&show::Context {
                client: &client,
                program: &self.program,
                service: &self.service,
                installation: &self.sample.0,
                files: self.files.path(),
                goes_on: !exit,
            })?;
        }
        Ok(())
    }

    fn wait_for_the_end(&self) -> anyhow::Result<()> {
        println!("\n{}", style("Running until you press Ctrl-C.").bold());
        while !interrupt::has_come() {
            if !self.service.is_running() {
                // A Ctrl-C reaches the service as well, and it may be the faster one.
                thread::sleep(Duration::from_millis(200));
                if !interrupt::has_come() {
                    bail!(
                        "the service has ended by itself\n{}",
                        self.service.last_log_lines()
                    );
                }
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn stop(self) -> anyhow::Result<()> {
        self.service.stop()?;
        println!("The service is stopped");
        let removed = self.sample.remove()?;
        self.files.close().context("can't delete the files")?;
        println!("{removed} indices are deleted, and the file");
        Ok(())
    }
}

/// Says no when somebody has pressed Ctrl-C.
fn go_on() -> anyhow::Result<()> {
    if interrupt::has_come() {
        bail!("interrupted");
    }
    Ok(())
}

fn heading(title: &str) {
    println!("\n{} {}", style("▌").cyan(), style(title).bold());
}
