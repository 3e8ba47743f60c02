//! Buckets of clouds. What they ask for comes from the environment, under the names that each cloud's own tools have.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{Certificate, ClientOptions, ObjectStore, RetryConfig};

use super::target::TargetError;
use crate::config::Environment;

/// How long a request is tried again. It has to end before the scroll does whose rows wait for it.
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);

/// The store of a URL; `None` where its scheme is none of a cloud.
pub(super) fn open(
    scheme: &str,
    url: &str,
    environment: &Environment,
) -> Result<Option<Arc<dyn ObjectStore>>, TargetError> {
    let retry = RetryConfig {
        retry_timeout: RETRY_TIMEOUT,
        ..RetryConfig::default()
    };
    Ok(Some(match scheme {
        "s3" | "s3a" => {
            let builder = AmazonS3Builder::new()
                .with_client_options(client()?)
                .with_retry(retry);
            let builder = settings::<AmazonS3ConfigKey>(environment, "AWS_")
                .fold(builder, |builder, (key, value)| {
                    builder.with_config(key, value)
                });
            Arc::new(builder.with_url(url).build()?)
        }
        "gs" => {
            let builder = GoogleCloudStorageBuilder::new()
                .with_client_options(client()?)
                .with_retry(retry);
            // Not ours to rename: the path of the key that Google's own libraries read.
            let builder = match environment.get("SERVICE_ACCOUNT") {
                Some(path) => builder.with_service_account_path(path),
                None => builder,
            };
            let builder = settings::<GoogleConfigKey>(environment, "GOOGLE_")
                .fold(builder, |builder, (key, value)| {
                    builder.with_config(key, value)
                });
            Arc::new(builder.with_url(url).build()?)
        }
        "az" | "azure" | "abfs" | "abfss" => {
            let builder = MicrosoftAzureBuilder::new()
                .with_client_options(client()?)
                .with_retry(retry);
            let builder = settings::<AzureConfigKey>(environment, "AZURE_")
                .fold(builder, |builder, (key, value)| {
                    builder.with_config(key, value)
                });
            Arc::new(builder.with_url(url).build()?)
        }
        _ => return Ok(None),
    }))
}

/// The settings that the library knows, by the names of variables.
fn settings<'e, K: FromStr>(
    environment: &'e Environment,
    prefix: &'static str,
) -> impl Iterator<Item = (K, &'e str)> {
    let own = environment
        .iter()
        .filter(move |(name, _)| name.starts_with(prefix));
    own.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value.as_str())))
}

/// The client of all clouds. The public authorities are part of this program, whose image has no others; those of the system
/// (`SSL_CERT_FILE` for one of your own) come on top.
fn client() -> Result<ClientOptions, TargetError> {
    let mut options = ClientOptions::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        options = options.with_root_certificate(Certificate::from_der(certificate)?);
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let owned = variables.iter();
        owned
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn each_cloud_is_opened_with_the_variables_of_its_own_tools() {
        let aws = [
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_PAGER", "less"),
        ];
        let azure = [
            ("AZURE_STORAGE_ACCOUNT_NAME", "account"),
            ("AZURE_STORAGE_ACCOUNT_KEY", "a2V5"),
        ];
        for (scheme, url, variables) in [
            ("s3", "s3://bucket/lake", &aws[..]),
            (
                "gs",
                "gs://bucket/lake",
                &[("GOOGLE_SKIP_SIGNATURE", "true")],
            ),
            ("az", "az://container/lake", &azure),
        ] {
            let store = open(scheme, url, &environment(variables)).unwrap();
            let shown = store.unwrap().to_string();
            assert!(
                shown.contains("bucket") || shown.contains("container"),
                "{shown}"
            );
        }
        assert!(
            open("ftp", "ftp://host", &Environment::new())
                .unwrap()
                .is_none()
        );
        let wrong = environment(&[("AWS_ALLOW_HTTP", "perhaps")]);
        assert!(open("s3", "s3://bucket", &wrong).is_err());
    }
}
