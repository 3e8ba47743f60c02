# Gives Elasticsearch the role of the service, with the least privileges it can work with, and a user who has it.
set -euo pipefail

put() {
    curl -fsS --config /usr/share/elasticsearch/config/certificates/curl.conf --request PUT "$ELASTICSEARCH_URL/_security/$1" \
        --header 'Content-Type: application/json' --data-binary "$2"
    echo
}

put role/optimize-export @/role.json
# By standard input, so that no list of processes shows the password.
printf '{"password": "%s", "roles": ["optimize-export"]}' "$(cat /run/secrets/elasticsearch-password)" | put user/optimize-export @-
