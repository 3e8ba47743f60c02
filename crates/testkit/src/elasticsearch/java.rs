//! The Java virtual machine: which one, with which command line and configuration.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::security::Security;
use super::{Error, Heap, Product, Version, jars};

/// The variables that name a Java; the second one is for who keeps a newer one beside the common one.
const HOMES: [&str; 2] = ["JAVA_HOME", "JAVA21_HOME"];

/// Where systems keep their Javas, and what is between such a folder's entries and a Java's home.
const USUAL_FOLDERS: [(&str, &str); 4] = [
    ("/usr/lib/jvm", ""),
    ("/usr/java", ""),
    ("/opt", ""),
    ("/Library/Java/JavaVirtualMachines", "Contents/Home"),
];

/// A Java that can run a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Java {
    /// The program.
    pub program: PathBuf,
    /// Its feature release, for example 17.
    pub release: u32,
}

/// Collect garbage early, as the options do that OpenSearch comes with, and Elasticsearch chooses for small heaps: otherwise the
/// heap fills up with garbage until the circuit breaker refuses everything.
const COLLECT_EARLY: [&str; 2] = [
    "-XX:G1ReservePercent=25",
    "-XX:InitiatingHeapOccupancyPercent=30",
];

/// The log settings of OpenSearch, whose jars come with none. What goes to the console ends up in the server's log.
const LOG_TO_CONSOLE: &str = "status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
";

/// What one server is made of: its own folders, and what it shares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout<'a> {
    /// The unpacked distribution, shared by all servers of its version.
    pub distribution: &'a Path,
    /// The server's own folder.
    pub folder: &'a Path,
    /// Where its data is kept, when not in its own folder: then it outlives the server.
    pub data: Option<&'a Path>,
    /// Its place in its cluster.
    pub place: Place<'a>,
}

/// The place of a server in its cluster.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// There is no other.
    Alone,
    /// It rules, and others join it.
    First,
    /// It keeps data, and joins the one at this address.
    Joins(&'a str),
}

impl Place<'_> {
    fn settings(self) -> String {
        match self {
            Self::Alone => "node.name: optimize-export\ndiscovery.type: single-node\n".to_owned(),
            Self::First => "node.name: first\ndiscovery.seed_hosts: []\n\
                            cluster.initial_master_nodes: [\"first\"]\n"
                .to_owned(),
            Self::Joins(address) => format!(
                "node.name: second\nnode.roles: [\"data\"]\ndiscovery.seed_hosts: [\"{address}\"]\n"
            ),
        }
    }
}

/// A command to be run as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandLine {
    /// Program and arguments.
    pub words: Vec<OsString>,
    /// Environment variables to set.
    pub environment: Vec<(&'static str, OsString)>,
}

impl Java {
    /// The first Java that can run this version: of `JAVA_HOME`, `JAVA21_HOME`, the PATH, or one beside it or in a usual folder.
    pub fn find(version: Version) -> Result<Self, Error> {
        let suitable = version.java();
        let mut found = Vec::new();
        for program in programs() {
            let Some(release) = release_of_program(&program) else {
                continue;
            };
            if suitable.contains(&release) {
                return Ok(Self { program, release });
            }
            found.push(format!("Java {release} ({})", program.display()));
        }
        let found = if found.is_empty() {
            "no Java can be run here".to_owned()
        } else {
            format!("here is only {}", found.join(", "))
        };
        Err(Error::Java { version, found })
    }

    /// The command that runs the server in the foreground.
    pub fn command_line(&self, version: Version, heap: &Heap, layout: Layout<'_>) -> CommandLine {
        match version {
            Version::Elasticsearch7_17 => self.command_line_of_7(heap, layout),
            Version::Elasticsearch8_16 | Version::Elasticsearch8_19 => {
                self.command_line_of_8(heap, layout)
            }
            Version::Elasticsearch9_4 => self.command_line_of_9(heap, layout),
            Version::OpenSearch2_19 | Version::OpenSearch3_6 => {
                self.command_line_of_opensearch(version, heap, layout)
            }
        }
    }

    /// 9.x has a launcher that takes everything from its environment, where the start script would put it.
    fn command_line_of_9(
        &self,
        heap: &Heap,
        Layout {
            distribution,
            folder,
            ..
        }: Layout<'_>,
    ) -> CommandLine {
        let mut words = vec![OsString::from(&self.program)];
        words.extend(["-Xms4m", "-Xmx64m", "-XX:+UseSerialGC"].map(OsString::from));
        words.push("-cp".into());
        words.push(class_path(distribution, &["lib/tools/server-launcher/*"]));
        words.push("org.elasticsearch.server.launcher.ServerLauncher".into());
        let mut environment: Vec<(&'static str, OsString)> = vec![
            ("ES_HOME", distribution.into()),
            ("ES_PATH_CONF", folder.join("config").into()),
            ("JAVA", self.program.clone().into()),
            ("ES_DISTRIBUTION_TYPE", "tar".into()),
            ("ES_JAVA_OPTS", heap.options().join(" ").into()),
            ("ES_TMPDIR", folder.join("tmp").into()),
        ];
        if let Some(home) = self.home() {
            environment.push(("ES_JAVA_HOME", home.into()));
            environment.push(("JAVA_TYPE", "ES_JAVA_HOME".into()));
        }
        CommandLine { words, environment }
    }

    /// OpenSearch is put together from jars here, so there is no script that could start it.
    fn command_line_of_opensearch(
        &self,
        version: Version,
        heap: &Heap,
        Layout {
            distribution,
            folder,
            ..
        }: Layout<'_>,
    ) -> CommandLine {
        let mut words = vec![OsString::from(&self.program)];
        words.extend(heap.options().map(OsString::from));
        words.extend(
            [
                "-XX:+UseG1GC",
                COLLECT_EARLY[0],
                COLLECT_EARLY[1],
                "-Xss1m",
                "-Djava.awt.headless=true",
                "-Dfile.encoding=UTF-8",
                "-Djna.nosys=true",
                "-Dio.netty.noUnsafe=true",
                "-Dio.netty.noKeySetOptimization=true",
                "-Dio.netty.recycler.maxCapacityPerThread=0",
                "-Dio.netty.allocator.numDirectArenas=0",
                "-Dlog4j.shutdownHookEnabled=false",
                "-Dlog4j2.disable.jmx=true",
                "-Dlog4j2.formatMsgNoLookups=true",
                "-Djava.locale.providers=SPI,CLDR",
            ]
            .map(OsString::from),
        );
        if jars::needs_security_manager(version) {
            words.push("-Djava.security.manager=allow".into());
        }
        words.push(property("java.io.tmpdir", &folder.join("tmp")));
        words.push(property("opensearch.path.home", distribution));
        words.push(property("opensearch.path.conf", &folder.join("config")));
        words.push("-Dopensearch.distribution.type=tar".into());
        words.push("-cp".into());
        words.push(class_path(distribution, &["lib/*"]));
        words.push("org.opensearch.bootstrap.OpenSearch".into());
        CommandLine {
            words,
            environment: Vec::new(),
        }
    }

    /// The folder that it is installed in.
    fn home(&self) -> Option<PathBuf> {
        let program = self.program.canonicalize().ok()?;
        Some(program.parent()?.parent()?.to_owned())
    }

    /// The start script of 8.x is missing from the artifact, but what it calls is there: a launcher that starts the server as a child process.
    fn command_line_of_8(
        &self,
        heap: &Heap,
        Layout {
            distribution,
            folder,
            ..
        }: Layout<'_>,
    ) -> CommandLine {
        let mut words = vec![OsString::from(&self.program)];
        words.extend(
            ["-Xms4m", "-Xmx64m", "-XX:+UseSerialGC", "-Dcli.name=server"].map(OsString::from),
        );
        words.push(property(
            "cli.script",
            &distribution.join("bin/elasticsearch"),
        ));
        words.push("-Dcli.libs=lib/tools/server-cli".into());
        words.push(property("es.path.home", distribution));
        words.push(property("es.path.conf", &folder.join("config")));
        words.push("-Des.distribution.type=tar".into());
        words.push("-cp".into());
        words.push(class_path(distribution, &["lib/*", "lib/cli-launcher/*"]));
        words.push("org.elasticsearch.launcher.CliToolLauncher".into());
        let environment = vec![
            ("ES_JAVA_OPTS", heap.options().join(" ").into()),
            ("ES_TMPDIR", folder.join("tmp").into()),
        ];
        CommandLine { words, environment }
    }

    /// The start script of 7.17 is patched in the artifact, so the server is called without it, with the options that the original script gives.
    fn command_line_of_7(
        &self,
        heap: &Heap,
        Layout {
            distribution,
            folder,
            ..
        }: Layout<'_>,
    ) -> CommandLine {
        let mut words = vec![OsString::from(&self.program)];
        words.extend(heap.options().map(OsString::from));
        words.extend(
            [
                "-XX:+UseG1GC",
                COLLECT_EARLY[0],
                COLLECT_EARLY[1],
                "-XX:-OmitStackTraceInFastThrow",
                "-Xss1m",
                "-Xshare:auto",
                "-Djava.awt.headless=true",
                "-Djava.security.manager=allow",
                "-Dfile.encoding=UTF-8",
                "-Djna.nosys=true",
                "-Des.networkaddress.cache.ttl=60",
                "-Des.networkaddress.cache.negative.ttl=10",
                "-Dio.netty.noUnsafe=true",
                "-Dio.netty.noKeySetOptimization=true",
                "-Dio.netty.recycler.maxCapacityPerThread=0",
                "-Dio.netty.allocator.numDirectArenas=0",
                "-Dlog4j.shutdownHookEnabled=false",
                "-Dlog4j2.disable.jmx=true",
                "-Dlog4j2.formatMsgNoLookups=true",
                "--add-opens=java.base/java.io=ALL-UNNAMED",
            ]
            .map(OsString::from),
        );
        // Java 23 dropped the COMPAT locale data that older ones must use for dates to be formatted as the service expects of Elasticsearch.
        words.push(
            if self.release >= 23 {
                "-Djava.locale.providers=CLDR"
            } else {
                "-Djava.locale.providers=SPI,COMPAT"
            }
            .into(),
        );
        words.push(property("java.io.tmpdir", &folder.join("tmp")));
        words.push(property("es.path.home", distribution));
        words.push(property("es.path.conf", &folder.join("config")));
        words.push("-Des.distribution.flavor=default".into());
        words.push("-Des.distribution.type=tar".into());
        words.push("-Des.bundled_jdk=false".into());
        words.push("-cp".into());
        words.push(class_path(distribution, &["lib/*"]));
        words.push("org.elasticsearch.bootstrap.Elasticsearch".into());
        CommandLine {
            words,
            environment: vec![("LIBFFI_TMPDIR", folder.join("tmp").into())],
        }
    }
}

/// Writes the server's configuration folder.
pub(super) fn write_configuration(
    version: Version,
    layout: Layout<'_>,
    security: Option<&Security>,
) -> Result<(), Error> {
    let config = layout.folder.join("config");
    let shipped = layout.distribution.join("config");
    let write = |name: &str, content: String| {
        let path = config.join(name);
        fs::write(&path, content).map_err(Error::system(format!("write {}", path.display())))
    };
    let read = |name: &str| {
        let path = shipped.join(name);
        fs::read_to_string(&path).map_err(Error::system(format!("read {}", path.display())))
    };
    if version.product() == Product::OpenSearch {
        write("opensearch.yml", settings(version, layout, security))?;
        return write("log4j2.properties", LOG_TO_CONSOLE.to_owned());
    }
    write("elasticsearch.yml", settings(version, layout, security))?;
    if let Some(security) = security {
        security.write_configuration(&config)?;
    }
    write("log4j2.properties", read("log4j2.properties")?)?;
    write("jvm.options", jvm_options(&read("jvm.options")?))
}

/// The settings file. Port 0 lets the system choose free ports, which the server then writes into files.
fn settings(version: Version, layout: Layout<'_>, security: Option<&Security>) -> String {
    let own = layout.folder.join("data");
    let mut settings = format!(
        "cluster.name: optimize-export
node.portsfile: true
path.data: {data}
path.logs: {folder}/logs
network.host: 127.0.0.1
http.port: 0
transport.port: 0
cluster.routing.allocation.disk.threshold_enabled: false
search.keep_alive_interval: 1s
{place}",
        data = layout.data.unwrap_or(&own).display(),
        folder = layout.folder.display(),
        place = layout.place.settings(),
    );
    match security {
        Some(security) => settings.push_str(&security.settings()),
        // The others have no security to be switched off.
        None if version.has_security() => settings.push_str("xpack.security.enabled: false\n"),
        None => {}
    }
    settings
}

/// The shipped options without those that write into the working directory.
fn jvm_options(shipped: &str) -> String {
    let writes_somewhere = |line: &&str| {
        [
            "-Xlog:gc",
            "-Xloggc",
            "-XX:HeapDumpPath",
            "-XX:ErrorFile",
            "-XX:+HeapDumpOnOutOfMemoryError",
        ]
        .iter()
        .any(|option| line.contains(option))
    };
    let mut kept: String = shipped
        .lines()
        .filter(|line| !writes_somewhere(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    kept.push('\n');
    kept
}

fn property(name: &str, value: &Path) -> OsString {
    let mut word = OsString::from(format!("-D{name}="));
    word.push(value);
    word
}

fn class_path(distribution: &Path, parts: &[&str]) -> OsString {
    let mut path = OsString::new();
    for part in parts {
        if !path.is_empty() {
            path.push(":");
        }
        path.push(distribution.join(part));
    }
    path
}

/// The releases in words.
pub(super) fn spelled(releases: &RangeInclusive<u32>) -> String {
    let (oldest, newest) = (releases.start(), releases.end());
    if *newest == u32::MAX {
        format!("Java {oldest} or newer")
    } else {
        format!("Java {oldest} to {newest}")
    }
}

/// Every Java there may be, the one meant most likely first.
fn programs() -> Vec<PathBuf> {
    let of_home = |home: &Path| home.join("bin/java");
    let mut programs: Vec<PathBuf> = HOMES
        .iter()
        .filter_map(|name| std::env::var_os(name).filter(|home| !home.is_empty()))
        .map(|home| of_home(Path::new(&home)))
        .collect();
    let first = on_the_path();
    programs.extend(first.clone());
    // Where one Java is, others are.
    let beside = first
        .and_then(|java| java.canonicalize().ok())
        .and_then(|java| Some((java.ancestors().nth(3)?.to_owned(), "")));
    let usual = USUAL_FOLDERS.map(|(folder, below)| (PathBuf::from(folder), below));
    for (folder, below) in beside.into_iter().chain(usual) {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = entries
            .map(|entry| of_home(&entry.path().join(below)))
            .filter(|program| program.is_file())
            .collect();
        found.sort();
        programs.extend(found);
    }
    // Links lead to the same one by several ways.
    let mut seen = HashSet::new();
    programs.retain(|program| {
        let real = program.canonicalize().unwrap_or_else(|_| program.clone());
        seen.insert(real)
    });
    programs
}

/// The `java` that a shell would run.
fn on_the_path() -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join("java"))
        .find(|program| program.is_file())
}

fn release_of_program(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("-version").output().ok()?;
    release_of(&String::from_utf8_lossy(&output.stderr))
}

/// Reads the feature release from what `java -version` prints.
fn release_of(text: &str) -> Option<u32> {
    let version = text.split('"').nth(1)?;
    let mut numbers = version.split(['.', '-', '_', '+']);
    match numbers.next()?.parse().ok()? {
        1 => numbers.next()?.parse().ok(), // Java 8 and older call themselves 1.8.
        release => Some(release),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: (&str, &str) = ("/cache/elasticsearch", "/cache/servers/one");

    fn command_line(version: Version) -> Vec<String> {
        let java = Java {
            program: "java".into(),
            release: 17,
        };
        let layout = Layout {
            distribution: Path::new(LAYOUT.0),
            folder: Path::new(LAYOUT.1),
            data: None,
            place: Place::Alone,
        };
        let heap: Heap = "2g".parse().unwrap();
        java.command_line(version, &heap, layout)
            .words
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn releases_are_read_in_both_spellings() {
        assert_eq!(
            release_of("openjdk version \"17.0.15\" 2025-04-15"),
            Some(17)
        );
        assert_eq!(release_of("openjdk version \"21\" 2023-09-19"), Some(21));
        assert_eq!(release_of("openjdk version \"23-ea\""), Some(23));
        assert_eq!(release_of("java version \"1.8.0_401\""), Some(8));
        assert_eq!(release_of("command not found"), None);
    }

    #[test]
    fn the_java_of_a_version_is_said_in_words() {
        assert_eq!(spelled(&Version::OpenSearch2_19.java()), "Java 17 to 23");
        assert_eq!(
            spelled(&Version::Elasticsearch9_4.java()),
            "Java 21 or newer"
        );
    }

    #[test]
    fn only_opensearch_2_has_a_security_manager() {
        let allowed = "-Djava.security.manager=allow".to_owned();
        assert!(command_line(Version::OpenSearch2_19).contains(&allowed));
        let words = command_line(Version::OpenSearch3_6);
        assert!(!words.contains(&allowed));
        assert_eq!(
            words.last().map(String::as_str),
            Some("org.opensearch.bootstrap.OpenSearch")
        );
    }

    #[test]
    fn version_8_is_started_by_its_launcher() {
        let words = command_line(Version::Elasticsearch8_19);
        assert_eq!(
            words.last().map(String::as_str),
            Some("org.elasticsearch.launcher.CliToolLauncher")
        );
        assert!(words.contains(&"-Des.path.conf=/cache/servers/one/config".to_owned()));
        assert!(words.contains(
            &"/cache/elasticsearch/lib/*:/cache/elasticsearch/lib/cli-launcher/*".to_owned()
        ));
    }

    #[test]
    fn version_7_gets_its_heap_on_the_command_line() {
        let words = command_line(Version::Elasticsearch7_17);
        assert_eq!(
            words.last().map(String::as_str),
            Some("org.elasticsearch.bootstrap.Elasticsearch")
        );
        assert!(words.contains(&"-Xmx2g".to_owned()));
        assert!(words.contains(&"-Djava.locale.providers=SPI,COMPAT".to_owned()));
    }

    #[test]
    fn only_servers_with_security_know_its_setting() {
        let layout = Layout {
            distribution: Path::new(LAYOUT.0),
            folder: Path::new("/x"),
            data: None,
            place: Place::Alone,
        };
        assert!(
            settings(Version::Elasticsearch8_19, layout, None)
                .contains("xpack.security.enabled: false")
        );
        assert!(!settings(Version::Elasticsearch7_17, layout, None).contains("xpack"));
        assert!(!settings(Version::OpenSearch3_6, layout, None).contains("xpack"));
        assert!(
            settings(Version::Elasticsearch8_19, layout, None).contains("path.data: /x/data\n")
        );
        let data = Some(Path::new("/kept"));
        let elsewhere = Layout { data, ..layout };
        assert!(
            settings(Version::Elasticsearch8_19, elsewhere, None).contains("path.data: /kept\n")
        );
    }

    #[test]
    fn jvm_options_write_nothing_into_the_working_directory() {
        let kept = jvm_options(
            "-XX:+UseG1GC\n-Xlog:gc*:file=logs/gc.log\n-XX:ErrorFile=logs/hs_err_pid%p.log\n",
        );
        assert!(kept.contains("UseG1GC"));
        assert!(!kept.contains("logs/"));
    }
}
