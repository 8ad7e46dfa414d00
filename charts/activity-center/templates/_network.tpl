{{/* Ends of NetworkPolicies. */}}

{{/* Pods of a component: dict root, component */}}
{{- define "ac.part" -}}
podSelector: {matchLabels: { {{- include "ac.componentSelector" . -}} } }
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
{{- else }}
[]
{{- end }}
{{- end -}}
