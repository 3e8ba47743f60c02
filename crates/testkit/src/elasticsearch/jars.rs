//! An OpenSearch put together from the jars that its project publishes on Maven Central.
//!
//! Maven itself finds out which jars belong to the server and to each module: one generated project has one part for each.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use super::{Error, Version, distribution};

/// The part with the server itself.
const SERVER: &str = "lib";

/// The Maven plugin that copies what a project depends on; pinned, so that every machine runs the same.
const COPYING_GOAL: &str =
    "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// Where that plugin copies to, below each part.
const COPIED: &str = "target/dependency";

/// The server does not depend on a logger, but can't start without one. It is of the version of the interfaces that both lines come with.
const LOG4J: &str = "org.apache.logging.log4j:log4j-core:2.25.4";

/// A module of the server.
struct Module {
    /// Its name.
    name: &'static str,
    /// The artifact in the group `org.opensearch.plugin`.
    artifact: &'static str,
    /// Its class up to `Plugin`, which 3.x calls `ModulePlugin`.
    class: &'static str,
    /// The module whose jars it uses.
    extends: Option<&'static str>,
    /// What the security manager of 2.x has to let it do.
    permissions: &'static [&'static str],
}

/// The modules that tests and service need: scripts, analyzers of the mappings, HTTP, and changing documents by a query.
const MODULES: [Module; 4] = [
    Module {
        name: "lang-painless",
        artifact: "lang-painless",
        class: "org.opensearch.painless.Painless",
        extends: None,
        permissions: &[
            r#"java.lang.RuntimePermission "createClassLoader""#,
            r#"java.lang.RuntimePermission "getClassLoader""#,
        ],
    },
    Module {
        name: "analysis-common",
        artifact: "analysis-common",
        class: "org.opensearch.analysis.common.CommonAnalysis",
        extends: Some("lang-painless"),
        permissions: &[],
    },
    Module {
        name: "transport-netty4",
        artifact: "transport-netty4-client",
        class: "org.opensearch.transport.Netty4",
        extends: None,
        permissions: &[
            r#"java.lang.RuntimePermission "*""#,
            r#"java.net.SocketPermission "*", "accept,connect,listen,resolve""#,
            r#"java.net.NetPermission "*""#,
            r#"java.util.PropertyPermission "*", "read,write""#,
            r#"java.io.FilePermission "/proc/sys/net/core/somaxconn", "read""#,
        ],
    },
    Module {
        name: "reindex",
        artifact: "reindex-client",
        class: "org.opensearch.index.reindex.Reindex",
        extends: Some("lang-painless"),
        permissions: &[r#"java.net.SocketPermission "*", "connect,resolve""#],
    },
];

/// Fetches the jars and lays them out as a distribution in the folder `target`; everything else goes into `workshop`.
pub(super) fn assemble(version: Version, workshop: &Path, target: &Path) -> Result<(), Error> {
    let project = workshop.join("project");
    let failed = |error: io::Error| Error::Distribution {
        version,
        reason: error.to_string(),
    };
    write_project(version, &project).map_err(failed)?;
    let arguments = [COPYING_GOAL, "-DincludeScope=runtime"].map(OsString::from);
    distribution::run_maven(version, &project, &workshop.join("repository"), &arguments)?;
    lay_out(version, &project, target).map_err(failed)
}

fn write_project(version: Version, project: &Path) -> io::Result<()> {
    let number = version.number();
    let mut server = vec![
        format!("org.opensearch:opensearch:{number}"),
        format!("org.opensearch:opensearch-plugin-classloader:{number}"),
        LOG4J.to_owned(),
    ];
    if !needs_security_manager(version) {
        server.push(format!(
            "org.opensearch:opensearch-agent-bootstrap:{number}"
        ));
        server.push(format!("org.opensearch:opensearch-agent-policy:{number}"));
    }
    let mut parts = vec![(SERVER, server)];
    for module in &MODULES {
        let artifact = format!("org.opensearch.plugin:{}:{number}", module.artifact);
        parts.push((module.name, vec![artifact]));
    }
    let names: String = parts
        .iter()
        .map(|(name, _)| format!("<module>{name}</module>"))
        .collect();
    fs::create_dir_all(project)?;
    let modules = format!("<modules>{names}</modules>");
    fs::write(project.join("pom.xml"), pom("all", &modules))?;
    for (name, artifacts) in parts {
        let dependencies: String = artifacts.iter().map(|each| dependency(each)).collect();
        let dependencies = format!("<dependencies>{dependencies}</dependencies>");
        fs::create_dir_all(project.join(name))?;
        fs::write(project.join(name).join("pom.xml"), pom(name, &dependencies))?;
    }
    Ok(())
}

fn pom(name: &str, content: &str) -> String {
    format!(
        r#"<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>optimize-export.opensearch</groupId><artifactId>{name}</artifactId><version>1</version><packaging>pom</packaging>
{content}
</project>
"#
    )
}

/// Group, artifact and version as a project names them.
fn dependency(coordinates: &str) -> String {
    let mut parts = coordinates.split(':');
    let mut element = |name: &str| {
        let text = parts.next().unwrap_or_default();
        format!("<{name}>{text}</{name}>")
    };
    let elements = ["groupId", "artifactId", "version"].map(&mut element);
    format!("<dependency>{}</dependency>\n", elements.concat())
}

/// Each jar goes to one place only, or the server calls it jar hell: to the module that brings it, or to the server if that has it anyway.
fn lay_out(version: Version, project: &Path, target: &Path) -> io::Result<()> {
    // The server insists on them.
    for folder in ["bin", "config", "extensions", "plugins"] {
        fs::create_dir_all(target.join(folder))?;
    }
    let of_server = jars(&project.join(SERVER))?;
    copy(&of_server, &project.join(SERVER), &target.join("lib"))?;
    for module in &MODULES {
        let mut elsewhere = of_server.clone();
        if let Some(other) = module.extends {
            elsewhere.extend(jars(&project.join(other))?);
        }
        let own: BTreeSet<OsString> = jars(&project.join(module.name))?
            .difference(&elsewhere)
            .cloned()
            .collect();
        let folder = target.join("modules").join(module.name);
        copy(&own, &project.join(module.name), &folder)?;
        fs::write(
            folder.join("plugin-descriptor.properties"),
            module.descriptor(version),
        )?;
        if needs_security_manager(version) && !module.permissions.is_empty() {
            fs::write(folder.join("plugin-security.policy"), module.policy())?;
        }
    }
    Ok(())
}

/// 3.x does without: Java has given it up.
pub(super) fn needs_security_manager(version: Version) -> bool {
    version == Version::OpenSearch2_19
}

fn jars(part: &Path) -> io::Result<BTreeSet<OsString>> {
    let files = fs::read_dir(part.join(COPIED))?;
    files.map(|file| Ok(file?.file_name())).collect()
}

fn copy(jars: &BTreeSet<OsString>, part: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir_all(target)?;
    for jar in jars {
        fs::copy(part.join(COPIED).join(jar), target.join(jar))?;
    }
    Ok(())
}

impl Module {
    fn descriptor(&self, version: Version) -> String {
        let number = version.number();
        let suffix = if needs_security_manager(version) {
            "Plugin"
        } else {
            "ModulePlugin"
        };
        format!(
            "name={name}
description={name}
version={number}
opensearch.version={number}
java.version={java}
classname={class}{suffix}
extended.plugins={extends}
has.native.controller=false
",
            name = self.name,
            java = version.java().start(),
            class = self.class,
            extends = self.extends.unwrap_or_default(),
        )
    }

    fn policy(&self) -> String {
        let lines = self.permissions.iter();
        let lines: String = lines
            .map(|permission| format!("  permission {permission};\n"))
            .collect();
        format!("grant {{\n{lines}}};\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_has_three_parts() {
        assert_eq!(
            dependency("g:a:1.2"),
            "<dependency><groupId>g</groupId><artifactId>a</artifactId><version>1.2</version></dependency>\n"
        );
    }

    #[test]
    fn a_jar_lies_in_one_place() {
        let folder = tempfile::tempdir().unwrap();
        let (project, target) = (folder.path().join("project"), folder.path().join("home"));
        let parts = [
            ("lib", &["core.jar"][..]),
            ("lang-painless", &["core.jar", "asm.jar", "painless.jar"]),
            ("analysis-common", &["core.jar", "analysis.jar"]),
            ("transport-netty4", &["core.jar", "netty.jar"]),
            ("reindex", &["core.jar", "asm.jar", "reindex.jar"]),
        ];
        for (part, jars) in parts {
            let copied = project.join(part).join(COPIED);
            fs::create_dir_all(&copied).unwrap();
            for jar in jars {
                fs::write(copied.join(jar), "").unwrap();
            }
        }
        lay_out(Version::OpenSearch2_19, &project, &target).unwrap();
        let in_folder = |path: &str| {
            let files = fs::read_dir(target.join(path)).unwrap();
            let mut names: Vec<String> = files
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names.join(" ")
        };
        let described = "plugin-descriptor.properties plugin-security.policy";
        assert_eq!(in_folder("lib"), "core.jar");
        assert_eq!(
            in_folder("modules/lang-painless"),
            format!("asm.jar painless.jar {described}")
        );
        assert_eq!(
            in_folder("modules/analysis-common"),
            "analysis.jar plugin-descriptor.properties"
        );
        assert_eq!(
            in_folder("modules/reindex"),
            format!("{described} reindex.jar")
        );
    }
}
