# Makes an authority and certificates for Elasticsearch and for the export, each once: what is there already stays as it is. With `--renew` the export gets a
# new one: `docker compose -f compose.secured.yml run --rm certificates --renew`.
#
# Runs in Elasticsearch's image, which has `elasticsearch-certutil`, as root with no capability but that of giving files away.
set -euo pipefail
umask 077

readonly elasticsearch_user=1000 service_user=65532
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT

if [ ! -f /authority/ca.key ]; then
    elasticsearch-certutil ca --silent --pem --out "$work/authority.zip"
    unzip -q "$work/authority.zip" -d "$work"
    mv "$work/ca/ca.crt" "$work/ca/ca.key" /authority/
    echo 'made an authority'
fi

# Into `$work/<name>/`.
make_certificate() {
    printf 'instances:\n  - name: %s\n    dns: [%s]\n    ip: ["127.0.0.1"]\n' "$1" "$2" > "$work/$1.yml"
    elasticsearch-certutil cert --silent --pem --in "$work/$1.yml" --out "$work/$1.zip" \
        --ca-cert /authority/ca.crt --ca-key /authority/ca.key
    unzip -q "$work/$1.zip" -d "$work"
    echo "made a certificate for $2"
}

# install MODE FILE USER TARGET: under another name first, so that nobody reads half a file.
install_file() {
    cp "$2" "$4.new"
    chmod "$1" "$4.new"
    chown "$3" "$4.new"
    mv -f "$4.new" "$4"
}

folder=/elasticsearch-certificates
if [ ! -f $folder/elasticsearch.crt ]; then
    make_certificate elasticsearch elasticsearch,localhost
    install_file 444 "$work/elasticsearch/elasticsearch.crt" $elasticsearch_user $folder/elasticsearch.crt
    install_file 400 "$work/elasticsearch/elasticsearch.key" $elasticsearch_user $folder/elasticsearch.key
    install_file 444 /authority/ca.crt $elasticsearch_user $folder/ca.crt
fi
password=$(cat /run/secrets/elastic-password)
printf '%s' "$password" > "$work/elastic-password"
printf 'user = "elastic:%s"\ncacert = /usr/share/elasticsearch/config/certificates/ca.crt\n' "$password" > "$work/curl.conf"
install_file 400 "$work/elastic-password" $elasticsearch_user $folder/elastic-password
install_file 400 "$work/curl.conf" $elasticsearch_user $folder/curl.conf

folder=/export-certificates
if [ ! -f $folder/tls.crt ] || [ "${1:-}" = --renew ]; then
    make_certificate optimize-export "optimize-export,localhost,$EXPORT_HOST_NAME"
    # The key first: the service reads both again when either changed, and goes on with the old pair while they don't fit.
    install_file 400 "$work/optimize-export/optimize-export.key" $service_user $folder/tls.key
    install_file 444 "$work/optimize-export/optimize-export.crt" $service_user $folder/tls.crt
    install_file 444 /authority/ca.crt $service_user $folder/ca.crt
fi
