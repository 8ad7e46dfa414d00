{{/* What pods have in common: restricted by PodSecurity's standards, with a root that is read-only. */}}

{{- define "ac.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "ac.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where pods go: dict root, component, values */}}
{{- define "ac.placement" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
affinity:
{{- if .values.affinity }}
  {{- toYaml .values.affinity | nindent 2 }}
{{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector: {matchLabels: { {{- include "ac.componentSelector" . -}} }}
{{- end }}
topologySpreadConstraints:
{{- if .values.topologySpreadConstraints }}
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
{{- else }}
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: {matchLabels: { {{- include "ac.componentSelector" . -}} }}
{{- end }}
{{- end -}}

{{- define "ac.componentSelector" -}}
{{- $labels := fromYaml (include "ac.selector" .root) -}}
{{- $_ := set $labels "app.kubernetes.io/component" .component -}}
{{- toJson $labels | trimPrefix "{" | trimSuffix "}" -}}
{{- end -}}

{{/* Environment of our own image: dict root, accounts (list), bus (bool), secrets (bool) */}}
{{- define "ac.environment" -}}
env:
  - {name: HOME, value: /tmp}
  {{- range $account := .accounts }}
  {{- with include "ac.login" (dict "root" $.root "account" $account) }}
  - name: OPENSEARCH_{{ upper $account }}_USERNAME
    valueFrom: {secretKeyRef: {name: {{ . | quote }}, key: username}}
  {{- end }}
  {{- end }}
  {{- if and .bus .root.Values.bus.url .root.Values.bus.existingSecret }}
  - name: BUS_USERNAME
    valueFrom: {secretKeyRef: {name: {{ .root.Values.bus.existingSecret | quote }}, key: username, optional: true}}
  {{- end }}
{{- if and .secrets .root.Values.secrets.env }}
envFrom:
  {{- range .root.Values.secrets.env }}
  - secretRef: {name: {{ . | quote }}}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Mounts of our own image: dict root, accounts, bus, secrets, own (keys of the installation's Secret), tls (component or "") */}}
{{- define "ac.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: config, mountPath: {{ include "ac.etc" . }}/activity-center.yml, subPath: activity-center.yml, readOnly: true}
{{- range .accounts }}
{{- if include "ac.login" (dict "root" $.root "account" .) }}
- {name: login-{{ . }}, mountPath: {{ include "ac.etc" $ }}/login-{{ . }}, readOnly: true}
{{- end }}
{{- end }}
{{- if .root.Values.opensearch.ca.existingSecret }}
- {name: opensearch-ca, mountPath: {{ include "ac.etc" . }}/opensearch, readOnly: true}
{{- end }}
{{- if .tls }}
- {name: tls, mountPath: {{ include "ac.etc" . }}/tls, readOnly: true}
{{- end }}
{{- if .own }}
- {name: own, mountPath: {{ include "ac.etc" . }}/own, readOnly: true}
{{- end }}
{{- if .bus }}
{{- if and .root.Values.bus.url .root.Values.bus.existingSecret }}
- {name: bus, mountPath: {{ include "ac.etc" . }}/bus, readOnly: true}
{{- end }}
{{- if or (include "ac.busBundled" .root) (and .root.Values.bus.url .root.Values.bus.ca.existingSecret) }}
- {name: bus-ca, mountPath: {{ include "ac.etc" . }}/bus-ca, readOnly: true}
{{- end }}
{{- end }}
{{- if .secrets }}
{{- range $index, $name := .root.Values.secrets.files }}
- {name: secret-{{ $index }}, mountPath: {{ include "ac.etc" $ }}/secrets/{{ $name }}, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{/* Volumes for these mounts, and config: name of the ConfigMap */}}
{{- define "ac.volumes" -}}
- {name: tmp, emptyDir: {sizeLimit: 256Mi}}
- name: config
  configMap: {name: {{ .config }}}
{{- range $account := .accounts }}
{{- with include "ac.login" (dict "root" $.root "account" $account) }}
- name: login-{{ $account }}
  secret: {secretName: {{ . | quote }}, defaultMode: 0440, items: [{key: password, path: password}]}
{{- end }}
{{- end }}
{{- with .root.Values.opensearch.ca }}
{{- if .existingSecret }}
- name: opensearch-ca
  secret: {secretName: {{ .existingSecret | quote }}, defaultMode: 0440, items: [{key: {{ .key | quote }}, path: ca.crt}]}
{{- end }}
{{- end }}
{{- if .tls }}
- name: tls
  secret: {secretName: {{ include "ac.tlsSecret" (dict "root" .root "component" .tls) | quote }}, defaultMode: 0440}
{{- end }}
{{- if .own }}
- name: own
  secret:
    secretName: {{ include "ac.secret" .root | quote }}
    defaultMode: 0440
    items:
      {{- range .own }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}
{{- if .bus }}
{{- with .root.Values.bus }}
{{- if and .url .existingSecret }}
- name: bus
  secret: {secretName: {{ .existingSecret | quote }}, defaultMode: 0440, items: [{key: password, path: password}]}
{{- end }}
{{- if and .url .ca.existingSecret }}
- name: bus-ca
  secret: {secretName: {{ .ca.existingSecret | quote }}, defaultMode: 0440, items: [{key: {{ .ca.key | quote }}, path: ca.crt}]}
{{- end }}
{{- end }}
{{- if include "ac.busBundled" .root }}
- name: bus-ca
  secret: {secretName: {{ include "ac.tlsSecret" (dict "root" .root "component" "bus") | quote }}, defaultMode: 0440, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- end }}
{{- if .secrets }}
{{- range $index, $name := .root.Values.secrets.files }}
- name: secret-{{ $index }}
  secret: {secretName: {{ $name | quote }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- end -}}
