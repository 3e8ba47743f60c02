{{- define "optimize-export.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 58 | trimSuffix "-" -}}
{{- end -}}

{{/* 58 characters, so that there is room for `-sync`. */}}
{{- define "optimize-export.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 58 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 58 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 58 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "optimize-export.selectorLabels" -}}
app.kubernetes.io/name: {{ include "optimize-export.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "optimize-export.commonLabels" -}}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: camunda
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "optimize-export.labels" -}}
{{ include "optimize-export.selectorLabels" . }}
{{ include "optimize-export.commonLabels" . }}
{{- end -}}

{{/* The job has another name: with the service's, its Service would send clients to it. */}}
{{- define "optimize-export.syncSelectorLabels" -}}
app.kubernetes.io/name: {{ include "optimize-export.name" . }}-sync
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "optimize-export.image" -}}
{{- $registry := .Values.image.registry | default .Values.global.image.registry -}}
{{- $name := empty $registry | ternary .Values.image.repository (printf "%s/%s" $registry .Values.image.repository) -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The name of the service account of `.account`, or nothing. */}}
{{- define "optimize-export.serviceAccountName" -}}
{{- .account.name | default (.account.enabled | ternary .default "") -}}
{{- end -}}

{{/* The database that is enabled, as JSON. */}}
{{- define "optimize-export.database" -}}
{{- $database := .Values.database -}}
{{- ternary $database.opensearch $database.elasticsearch $database.opensearch.enabled | toJson -}}
{{- end -}}

{{- define "optimize-export.signsForAws" -}}
{{- if and .Values.database.opensearch.enabled .Values.database.opensearch.aws.enabled }}true{{ end -}}
{{- end -}}

{{- define "optimize-export.databaseUrl" -}}
{{- $url := (include "optimize-export.database" . | fromJson).url -}}
{{- printf "%s://%s:%d" $url.protocol (tpl $url.host .) (int $url.port) -}}
{{- end -}}

{{/* What both the service and the job read from secrets, as JSON: the file's name in their folder, its secret and the key there. */}}
{{- define "optimize-export.databaseFiles" -}}
{{- $files := dict -}}
{{- $auth := (include "optimize-export.database" . | fromJson).auth -}}
{{- if and $auth.username $auth.secret.existingSecret (not (include "optimize-export.signsForAws" .)) -}}
{{- $_ := set $files "elasticsearch-password" $auth.secret -}}
{{- end -}}
{{- $authorities := .Values.global.tls.caBundle.secret -}}
{{- if $authorities.existingSecret -}}
{{- $_ := set $files "elasticsearch-ca.crt" $authorities -}}
{{- end -}}
{{- $files | toJson -}}
{{- end -}}

{{- define "optimize-export.files" -}}
{{- $files := include "optimize-export.databaseFiles" . | fromJson -}}
{{- if eq .Values.security.authentication.method "token" -}}
{{- $_ := set $files "access-tokens" .Values.security.authentication.token.secret -}}
{{- end -}}
{{- if .Values.scrollKey.secret.existingSecret -}}
{{- $_ := set $files "scroll-key" .Values.scrollKey.secret -}}
{{- end -}}
{{- $files | toJson -}}
{{- end -}}

{{/*
Files of secrets, under names that are ours, whatever the keys in the secrets are: a folder, not single files by subPath, which would never change.
`.files` are those of a pod; with `.tls` it has the certificate too, with `.rules` the access rules. Nothing at all comes out when a pod has no volume.
*/}}
{{- define "optimize-export.volumeMounts" -}}
{{- if .files }}
- name: secrets
  mountPath: /run/secrets/optimize-export
  readOnly: true
{{- end }}
{{- if .tls }}
- name: tls
  mountPath: /run/secrets/optimize-export-tls
  readOnly: true
{{- end }}
{{- if .rules }}
- name: access-rules
  mountPath: /etc/optimize-export
  readOnly: true
{{- end }}
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "optimize-export.volumes" -}}
{{- if .files }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $file, $secret := .files }}
      - secret:
          name: {{ $secret.existingSecret }}
          items:
            - key: {{ $secret.existingSecretKey }}
              path: {{ $file }}
      {{- end }}
{{- end }}
{{- if .tls }}
- name: tls
  secret:
    secretName: {{ .root.Values.tls.secret.existingSecret }}
    defaultMode: 0440
{{- end }}
{{- if .rules }}
- name: access-rules
  configMap:
    name: {{ include "optimize-export.fullname" .root }}-access-rules
{{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* How to reach the database. */}}
{{- define "optimize-export.databaseEnv" -}}
{{- $auth := (include "optimize-export.database" . | fromJson).auth -}}
{{- $files := include "optimize-export.databaseFiles" . | fromJson -}}
- name: OPTIMIZE_EXPORT_ELASTICSEARCH_URL
  value: {{ include "optimize-export.databaseUrl" . | quote }}
{{- if include "optimize-export.signsForAws" . }}
- name: OPTIMIZE_EXPORT_ELASTICSEARCH_AWS_SIGNING
  value: "true"
{{- with .Values.database.opensearch.aws.region }}
- name: OPTIMIZE_EXPORT_ELASTICSEARCH_AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- else if $auth.username }}
- name: OPTIMIZE_EXPORT_ELASTICSEARCH_USERNAME
  value: {{ $auth.username | quote }}
{{- end }}
- name: OPTIMIZE_EXPORT_INDEX_PREFIX
  value: {{ .Values.indexPrefix | quote }}
{{- if hasKey $files "elasticsearch-password" }}
- name: OPTIMIZE_EXPORT_ELASTICSEARCH_PASSWORD_FILE
  value: /run/secrets/optimize-export/elasticsearch-password
{{- end }}
{{- if hasKey $files "elasticsearch-ca.crt" }}
- name: OPTIMIZE_EXPORT_ELASTICSEARCH_CA_FILE
  value: /run/secrets/optimize-export/elasticsearch-ca.crt
{{- end }}
- name: OPTIMIZE_EXPORT_LOG_FORMAT
  value: {{ .Values.logFormat }}
{{- end -}}

{{/* Whom to let in, and how the export is spoken to. */}}
{{- define "optimize-export.serviceEnv" -}}
{{- $authentication := .Values.security.authentication -}}
{{- if eq $authentication.method "token" }}
- name: OPTIMIZE_EXPORT_ACCESS_TOKEN_FILE
  value: /run/secrets/optimize-export/access-tokens
{{- else }}
{{- with $authentication.oidc.issuer }}
- name: OPTIMIZE_EXPORT_ISSUER
  value: {{ . | quote }}
{{- end }}
{{- with $authentication.oidc.jwksUrl }}
- name: OPTIMIZE_EXPORT_JWK_SET_URI
  value: {{ . | quote }}
{{- end }}
{{- with $authentication.oidc.audience }}
- name: OPTIMIZE_EXPORT_AUDIENCE
  value: {{ . | quote }}
{{- end }}
{{- with $authentication.oidc.clientIdClaim }}
- name: OPTIMIZE_EXPORT_CLIENT_CLAIM
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if .Values.accessRules }}
- name: OPTIMIZE_EXPORT_ACCESS_RULES_FILE
  value: /etc/optimize-export/access-rules.yaml
{{- end }}
{{- if .Values.scrollKey.secret.existingSecret }}
- name: OPTIMIZE_EXPORT_SCROLL_KEY_FILE
  value: /run/secrets/optimize-export/scroll-key
{{- end }}
{{- with .Values.contextPath }}
- name: OPTIMIZE_EXPORT_CONTEXT_PATH
  value: {{ . | quote }}
{{- end }}
{{- if .Values.tls.enabled }}
- name: OPTIMIZE_EXPORT_TLS_CERTIFICATE_FILE
  value: /run/secrets/optimize-export-tls/tls.crt
- name: OPTIMIZE_EXPORT_TLS_KEY_FILE
  value: /run/secrets/optimize-export-tls/tls.key
{{- end }}
{{- end -}}

{{/* Kubernetes would take the last of two variables of one name, and some of its clients refuse both. */}}
{{- define "optimize-export.checkEnv" -}}
{{- $own := list -}}
{{- range .own }}{{ $own = append $own .name }}{{ end -}}
{{- range .added -}}
{{- if has .name $own -}}
{{- fail (printf "env: %s is set by the chart already: use the value that stands for it" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "optimize-export.env" -}}
{{- $own := printf "%s\n%s" (include "optimize-export.databaseEnv" .) (include "optimize-export.serviceEnv" . | trim) -}}
{{- include "optimize-export.checkEnv" (dict "own" (fromYamlArray $own) "added" .Values.env) -}}
{{ $own }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A security context, without the ids that OpenShift gives by itself. */}}
{{- define "optimize-export.securityContext" -}}
{{- $context := .context -}}
{{- if eq .root.Values.global.compatibility.openshift.adaptSecurityContext "force" -}}
{{- $context = omit $context "runAsUser" "runAsGroup" "fsGroup" -}}
{{- end -}}
{{- toYaml $context -}}
{{- end -}}

{{/* What pods of the service, of the job and of the check have in common. */}}
{{- define "optimize-export.podSpec" -}}
# It never talks to Kubernetes.
automountServiceAccountToken: {{ .account.automountServiceAccountToken }}
{{- with include "optimize-export.serviceAccountName" (dict "account" .account "default" .accountName) }}
serviceAccountName: {{ . }}
{{- end }}
# Variables of other services of the namespace are of no use, and could be taken for settings.
enableServiceLinks: false
{{- with concat .root.Values.global.image.pullSecrets .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "optimize-export.securityContext" (dict "context" .root.Values.podSecurityContext "root" .root) | nindent 2 }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* And their containers. */}}
{{- define "optimize-export.containerSpec" -}}
image: {{ include "optimize-export.image" . | quote }}
{{- with .Values.image.pullPolicy | default .Values.global.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
securityContext:
  {{- include "optimize-export.securityContext" (dict "context" .Values.containerSecurityContext "root" .) | nindent 2 }}
{{- end -}}

{{- define "optimize-export.probe" -}}
{{- if .probe.enabled }}
{{ .name }}:
  httpGet:
    path: {{ .probe.probePath }}
    port: management
  {{- toYaml (omit .probe "enabled" "probePath") | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The port of a URL. */}}
{{- define "optimize-export.portOf" -}}
{{- $url := urlParse . -}}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "http" | ternary "80" "443") -}}
{{- end -}}

{{/* What the schema can't say. */}}
{{- define "optimize-export.check" -}}
{{- $values := .Values -}}
{{- if eq $values.database.elasticsearch.enabled $values.database.opensearch.enabled -}}
{{- fail "database: exactly one of elasticsearch.enabled and opensearch.enabled has to be true" -}}
{{- end -}}
{{- $database := include "optimize-export.database" . | fromJson -}}
{{- if not $database.url.host -}}
{{- fail "database: url.host of the one that is enabled is empty" -}}
{{- end -}}
{{- if and $database.auth.username (not $database.auth.secret.existingSecret) (not (include "optimize-export.signsForAws" .)) -}}
{{- fail "database: auth.username needs auth.secret.existingSecret, and a key in it" -}}
{{- end -}}
{{- if and (gt (int $values.replicas) 1) (not $values.scrollKey.secret.existingSecret) -}}
{{- fail "scrollKey: several replicas need a common key in scrollKey.secret.existingSecret" -}}
{{- end -}}
{{- if and (eq $values.security.authentication.method "token") (not $values.security.authentication.token.secret.existingSecret) -}}
{{- fail "security.authentication: method token needs token.secret.existingSecret" -}}
{{- end -}}
{{- with $values.security.authentication -}}
{{- if and (eq .method "oidc") (not .oidc.issuer) (not .oidc.jwksUrl) -}}
{{- fail "security.authentication: method oidc needs oidc.issuer or oidc.jwksUrl" -}}
{{- end -}}
{{- end -}}
{{- if and $values.tls.enabled (not $values.tls.secret.existingSecret) -}}
{{- fail "tls: enabled needs secret.existingSecret" -}}
{{- end -}}
{{- if and $values.gateway.enabled (not $values.gateway.name) -}}
{{- fail "gateway: enabled needs the name of the Gateway" -}}
{{- end -}}
{{- if $values.sync.enabled -}}
{{- if or (not $values.sync.target) (not (or $values.sync.collection $values.sync.reports)) -}}
{{- fail "sync: enabled needs a target, and a collection or reports" -}}
{{- end -}}
{{- end -}}
{{- end -}}
