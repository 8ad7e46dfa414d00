{{/* Ends of NetworkPolicies. */}}

{{/* Pods of a component: dict root, component */}}
{{- define "ac.part" -}}
podSelector: {matchLabels: { {{- include "ac.componentSelector" . -}} } }
{{- end -}}

{{/* What all that asks OpenSearch may reach, as a list of rules. */}}
{{- define "ac.searchEgress" -}}
{{- with .Values.networkPolicy }}
{{- with .dns }}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
  to: {{- toYaml . | nindent 4 }}
{{- end }}
- ports: [{port: {{ include "ac.port" (dict "url" $.Values.opensearch.url) }}, protocol: TCP}]
  {{- with .opensearch }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- with .extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* spec of a policy for the install Job. */}}
{{- define "ac.installPolicy" -}}
{{ include "ac.part" (dict "root" . "component" "install") }}
policyTypes: [Ingress, Egress]
egress:
  {{- include "ac.searchEgress" . | trim | nindent 2 }}
  {{- with .Values.opensearch.dashboardsUrl }}
  - ports: [{port: {{ include "ac.port" (dict "url" .) }}, protocol: TCP}]
    {{- with $.Values.networkPolicy.opensearch }}
    to: {{- toYaml . | nindent 6 }}
    {{- end }}
  {{- end }}
{{- end -}}

{{/* The way to the bus, as a list of rules. */}}
{{- define "ac.busEgress" -}}
{{- if include "ac.busBundled" . }}
- ports: [{port: 6379, protocol: TCP}]
  to:
    - {{ include "ac.part" (dict "root" . "component" "bus") }}
{{- else if .Values.bus.url }}
- ports: [{port: {{ include "ac.port" (dict "url" .Values.bus.url) }}, protocol: TCP}]
  {{- with .Values.networkPolicy.bus }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}
