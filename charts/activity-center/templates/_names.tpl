{{/* Names and labels. */}}

{{- define "ac.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "ac.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "ac.labels" -}}
{{ include "ac.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: activity-center
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- end -}}

{{/* metadata of an object of a component: dict root, component, name (a suffix; default: component) */}}
{{- define "ac.metadata" -}}
name: {{ include "ac.fullname" .root }}-{{ default .component .name }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "ac.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "ac.image" -}}
{{- if .digest -}}
{{ printf "%s@%s" .repository .digest | quote }}
{{- else -}}
{{ printf "%s:%s" .repository .tag | quote }}
{{- end -}}
{{- end -}}

{{- define "ac.ownImage" -}}
{{- include "ac.image" (dict "repository" .Values.image.repository "digest" .Values.image.digest "tag" (default .Chart.AppVersion .Values.image.tag)) -}}
{{- end -}}

{{- define "ac.secret" -}}
{{- default (printf "%s-secrets" (include "ac.fullname" .)) .Values.secrets.existingSecret -}}
{{- end -}}

{{/* Secret with the certificate of a component: dict root, component */}}
{{- define "ac.tlsSecret" -}}
{{- $own := (eq .component "bus") | ternary .root.Values.bus.bundled (get .root.Values .component) -}}
{{- if eq .root.Values.tls.mode "existing" -}}
{{- required (printf "%s.tls.existingSecret: tls.mode existing needs the name of a Secret" ((eq .component "bus") | ternary "bus.bundled" .component)) $own.tls.existingSecret -}}
{{- else -}}
{{- include "ac.fullname" .root }}-{{ .component }}-tls
{{- end -}}
{{- end -}}

{{/* Names of a component's certificate, one a line: dict root, component */}}
{{- define "ac.tlsNames" -}}
{{- $service := printf "%s-%s" (include "ac.fullname" .root) .component -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $names := list $service (printf "%s.%s" $service $namespace) (printf "%s.%s.svc" $service $namespace) (printf "%s.%s.svc.%s" $service $namespace .root.Values.clusterDomain) "localhost" -}}
{{- $own := (eq .component "bus") | ternary dict (get .root.Values .component) -}}
{{- $names = concat $names (dig "tls" "extraNames" list $own) -}}
{{- join "\n" $names -}}
{{- end -}}

{{/* Changes when Helm makes other certificates: pods that check each other's have to begin anew
     together. Empty where certificates are not Helm's. */}}
{{- define "ac.tlsChecksum" -}}
{{- if eq .Values.tls.mode "generated" -}}
checksum/names: {{ list (include "ac.tlsNames" (dict "root" . "component" "collector")) (include "ac.tlsNames" (dict "root" . "component" "sidecar")) | toJson | sha256sum }}
{{- end -}}
{{- end -}}

{{/* Login of an account: deliver, maintain, search, install. dict root, account */}}
{{- define "ac.login" -}}
{{- default .root.Values.opensearch.existingSecret (get .root.Values.opensearch.accounts .account).existingSecret -}}
{{- end -}}

{{/* Whether Forward is listened for: the collector refuses a listener that nobody may use. */}}
{{- define "ac.forward" -}}
{{- $users := .Values.fluentBit.enabled -}}
{{- range dig "senders" list .Values.config -}}
{{- if hasKey . "username" -}}
{{- $users = true -}}
{{- end -}}
{{- end -}}
{{- if and .Values.collector.forward $users -}}true{{- end -}}
{{- end -}}

{{- define "ac.busBundled" -}}
{{- if and .Values.bus.bundled.enabled (not .Values.bus.url) -}}true{{- end -}}
{{- end -}}

{{- define "ac.publicUrl" -}}
{{- if dig "sidecar" "public_url" "" .Values.config -}}
{{- .Values.config.sidecar.public_url -}}
{{- else if and .Values.ingress.enabled .Values.ingress.host -}}
https://{{ .Values.ingress.host }}
{{- else if and .Values.httpRoute.enabled .Values.httpRoute.hostnames -}}
https://{{ first .Values.httpRoute.hostnames }}
{{- else -}}
https://localhost:8600
{{- end -}}
{{- end -}}

{{/* Port of an address: dict url */}}
{{- define "ac.port" -}}
{{- $url := urlParse .url -}}
{{- $tail := regexFind ":[0-9]+$" $url.host -}}
{{- if $tail -}}
{{- trimPrefix ":" $tail -}}
{{- else -}}
{{- get (dict "https" "443" "http" "80" "rediss" "6379" "redis" "6379") $url.scheme -}}
{{- end -}}
{{- end -}}
