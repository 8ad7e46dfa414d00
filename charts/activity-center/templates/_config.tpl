{{/* activity-center.yml, in three parts: nobody gets a secret that it does not use. */}}

{{/* Folders that pods see. */}}
{{- define "ac.etc" -}}/etc/activity-center{{- end -}}

{{/* A login: dict root, account. The user's name comes from the environment, the password from a file. */}}
{{- define "ac.account" -}}
url: {{ .root.Values.opensearch.url | quote }}
{{- if .root.Values.opensearch.ca.existingSecret }}
ca: {{ include "ac.etc" . }}/opensearch/ca.crt
{{- end }}
{{- if include "ac.login" . }}
username: {{ printf "${OPENSEARCH_%s_USERNAME}" (upper .account) | quote }}
password_file: {{ include "ac.etc" . }}/login-{{ .account }}/password
{{- end }}
{{- end -}}

{{- define "ac.bus" -}}
{{- if .Values.bus.url }}
url: {{ .Values.bus.url | quote }}
{{- if .Values.bus.existingSecret }}
username: ${BUS_USERNAME:-default}
password_file: {{ include "ac.etc" . }}/bus/password
{{- end }}
{{- if .Values.bus.ca.existingSecret }}
ca: {{ include "ac.etc" . }}/bus-ca/ca.crt
{{- end }}
{{- else if include "ac.busBundled" . }}
url: rediss://{{ include "ac.fullname" . }}-bus.{{ .Release.Namespace }}.svc:6379/0
password_file: {{ include "ac.etc" . }}/own/bus-password
ca: {{ include "ac.etc" . }}/bus-ca/ca.crt
{{- end }}
{{- end -}}

{{- define "ac.organizations" -}}
{{- $all := deepCopy (dig "organizations" dict .Values.config) -}}
{{- if .Values.tests.enabled -}}
{{- $_ := set $all "helm_test" (dict "name" "helm test" "plan" "standard") -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{/* What every part reads. */}}
{{- define "ac.shared" -}}
{{- range $section := list "plans" "default_retention_class" "roles" "channels" }}
{{- if hasKey $.Values.config $section }}
{{ $section }}: {{- toYaml (get $.Values.config $section) | nindent 2 }}
{{- end }}
{{- end }}
organizations: {{- include "ac.organizations" . | nindent 2 }}
{{- end -}}

{{- define "ac.collectorSection" -}}
data_dir: /var/lib/activity-center/data
quota: {{ .Values.collector.quota }}
drain_timeout: {{ .Values.collector.drainSeconds }}
health: "0.0.0.0:9600"
health_public: true
http:
  - bind: "0.0.0.0:8443"
    tls: {certificate: {{ include "ac.etc" . }}/tls/tls.crt, key: {{ include "ac.etc" . }}/tls/tls.key}
{{- if include "ac.forward" . }}
forward:
  - bind: "0.0.0.0:24224"
    tls: {certificate: {{ include "ac.etc" . }}/tls/tls.crt, key: {{ include "ac.etc" . }}/tls/tls.key}
    shared_key_file: {{ include "ac.etc" . }}/own/forward-shared-key
{{- end }}
redaction:
  hash_key_file: {{ include "ac.etc" . }}/own/redaction.key
digest_key_file: {{ include "ac.etc" . }}/own/digest.key
{{- end -}}

{{- define "ac.senders" -}}
- name: sidecar
  token_file: {{ include "ac.etc" . }}/own/recording-token
  sources: [native]
  # Decisions on proposals that are made at its page count as authenticated.
  may_assert: [approver]
{{- if .Values.tests.enabled }}
- name: helm_test
  token_file: {{ include "ac.etc" . }}/own/helm-test-token
  sources: [native]
  organizations: [helm_test]
{{- end }}
{{- if .Values.fluentBit.enabled }}
- name: fluent-bit
  username: fluent-bit
  password_file: {{ include "ac.etc" . }}/own/fluent-bit-password
  sources: [kubernetes-audit]
  {{- if .Values.fluentBit.organization }}
  organizations: [{{ .Values.fluentBit.organization | quote }}]
  {{- end }}
{{- end }}
{{- with dig "senders" list .Values.config }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "ac.collectorConfig" -}}
{{- $own := fromYaml (include "ac.collectorSection" .) -}}
{{- $collector := mergeOverwrite (deepCopy (dig "collector" dict .Values.config)) $own -}}
opensearch:
  {{- include "ac.account" (dict "root" . "account" "deliver") | nindent 2 }}
  {{- if include "ac.login" (dict "root" . "account" "maintain") }}
  maintain:
    {{- include "ac.account" (dict "root" . "account" "maintain") | nindent 4 }}
  {{- end }}
collector: {{- toYaml $collector | nindent 2 }}
senders: {{- include "ac.senders" . | nindent 2 }}
{{- with include "ac.bus" . | trim }}
bus: {{- . | nindent 2 }}
{{- end }}
{{- with dig "approval_policies" dict .Values.config }}
approval_policies: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with dig "alerts" dict .Values.config }}
alerts: {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "ac.shared" . }}
{{- end -}}

{{- define "ac.sidecarSection" -}}
bind: "0.0.0.0:8600"
public_url: {{ include "ac.publicUrl" . | quote }}
tls: {certificate: {{ include "ac.etc" . }}/tls/tls.crt, key: {{ include "ac.etc" . }}/tls/tls.key}
data_dir: /var/lib/activity-center/data
opensearch:
  {{- include "ac.account" (dict "root" . "account" "search") | nindent 2 }}
recording:
  url: https://{{ include "ac.fullname" . }}-collector.{{ .Release.Namespace }}.svc:8443
  token_file: {{ include "ac.etc" . }}/own/recording-token
  ca: {{ include "ac.etc" . }}/collector/ca.crt
{{- end -}}

{{- define "ac.identity" -}}
{{- $identity := deepCopy (dig "identity" dict .Values.config) -}}
{{- if .Values.tests.enabled -}}
{{- $person := dict "id" "helm_test" "full_name" "helm test" -}}
{{- $token := dict "name" "helm_test" "person" "helm_test" "token_file" (printf "%s/own/helm-test-token" (include "ac.etc" .)) -}}
{{- $_ := set $identity "people" (append (default list $identity.people) $person) -}}
{{- $_ := set $identity "tokens" (append (default list $identity.tokens) $token) -}}
{{- end -}}
{{- toYaml $identity -}}
{{- end -}}

{{- define "ac.sidecarConfig" -}}
{{- $own := fromYaml (include "ac.sidecarSection" .) -}}
{{- $sidecar := mergeOverwrite (deepCopy (dig "sidecar" dict .Values.config)) $own -}}
sidecar: {{- toYaml $sidecar | nindent 2 }}
identity: {{- include "ac.identity" . | nindent 2 }}
{{- with dig "approval_policies" dict .Values.config }}
approval_policies: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "ac.bus" . | trim }}
bus: {{- . | nindent 2 }}
{{- end }}
{{- include "ac.shared" . }}
{{- end -}}

{{/* For the verbs that set up and clean up: dict root, account. install is told who evaluates the
     alert rules: it makes monitors of those that no collector evaluates. */}}
{{- define "ac.clusterConfig" -}}
{{- $alerts := ternary (omit (dig "alerts" dict .root.Values.config) "webhooks" "link") dict (eq .account "install") -}}
opensearch:
  {{- include "ac.account" . | nindent 2 }}
  {{- if and $alerts (include "ac.login" .) }}
  # alerts.enabled asks for it; nothing here uses it.
  maintain:
    {{- include "ac.account" . | nindent 4 }}
  {{- end }}
sidecar:
  public_url: {{ include "ac.publicUrl" .root | quote }}
{{- with $alerts }}
alerts: {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "ac.shared" .root }}
{{- end -}}
