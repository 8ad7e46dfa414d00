{{/* What no schema can say: values that have to fit each other. */}}

{{/* Bytes of a quantity. dict text, powersOfTwo: whether units without an i are those too, as Redis has it. */}}
{{- define "ac.bytes" -}}
{{- $text := toString .text -}}
{{- if kindIs "float64" .text -}}
{{- $text = toString (int64 .text) -}}
{{- end -}}
{{- $found := regexFind "^[0-9]+([.][0-9]+)?" $text | float64 -}}
{{- $unit := regexFind "[A-Za-z]*$" $text | lower -}}
{{- $base := ternary 1024.0 1000.0 (or .powersOfTwo (contains "i" $unit)) -}}
{{- range until (get (dict "k" 1 "m" 2 "g" 3 "t" 4 "p" 5) (trunc 1 $unit) | default 0 | int) -}}
{{- $found = mulf $found $base -}}
{{- end -}}
{{- $found | int64 -}}
{{- end -}}

{{/* Thousandths of a processor. */}}
{{- define "ac.cpu" -}}
{{- $text := toString . -}}
{{- if hasSuffix "m" $text -}}{{ trimSuffix "m" $text }}{{- else -}}{{ mulf (float64 $text) 1000.0 }}{{- end -}}
{{- end -}}

{{- define "ac.checks" -}}
{{- include "ac.checkNames" . -}}
{{- $quota := include "ac.bytes" (dict "text" .Values.collector.quota "powersOfTwo" true) | float64 -}}
{{- $size := include "ac.bytes" (dict "text" .Values.collector.persistence.size "powersOfTwo" false) | float64 -}}
{{- if lt $size (addf (mulf $quota 1.25) 1181116006) -}}
{{- fail (printf "collector.persistence.size: %s is too small for a quota of %s: it has to be 1.25 × quota + 1.1 GiB" .Values.collector.persistence.size (toString .Values.collector.quota)) -}}
{{- end -}}
{{- $limit := dig "limits" "memory" "" .Values.bus.bundled.resources -}}
{{- if and (include "ac.busBundled" .) $limit -}}
{{- if ge (include "ac.bytes" (dict "text" .Values.bus.bundled.maxMemory "powersOfTwo" true) | float64) (include "ac.bytes" (dict "text" $limit "powersOfTwo" false) | float64) -}}
{{- fail (printf "bus.bundled.maxMemory: %s has to be less than bus.bundled.resources.limits.memory, %s" .Values.bus.bundled.maxMemory (toString $limit)) -}}
{{- end -}}
{{- end -}}
{{- $all := dict "collector.resources" .Values.collector.resources "sidecar.resources" .Values.sidecar.resources "install.resources" .Values.install.resources "retention.cronJob.resources" .Values.retention.cronJob.resources "bus.bundled.resources" .Values.bus.bundled.resources "fluentBit.resources" .Values.fluentBit.resources -}}
{{- range $path, $resources := $all -}}
{{- $cpu := get $resources.limits "cpu" -}}
{{- if and $cpu (gt (include "ac.cpu" (get $resources.requests "cpu") | float64) (include "ac.cpu" $cpu | float64)) -}}
{{- fail (printf "%s.requests.cpu: has to be at most %s.limits.cpu" $path $path) -}}
{{- end -}}
{{- range list "memory" "ephemeral-storage" -}}
{{- if gt (include "ac.bytes" (dict "text" (get $resources.requests .) "powersOfTwo" false) | float64) (include "ac.bytes" (dict "text" (get $resources.limits .) "powersOfTwo" false) | float64) -}}
{{- fail (printf "%s.requests.%s: has to be at most %s.limits.%s" $path . $path .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.sidecar.autoscaling.enabled (gt (int .Values.sidecar.autoscaling.minReplicas) (int .Values.sidecar.autoscaling.maxReplicas)) -}}
{{- fail "sidecar.autoscaling.minReplicas: has to be at most maxReplicas" -}}
{{- end -}}
{{- end -}}

{{/* A Secret that Helm made is deleted by the upgrade that names it as somebody else's, with its
     keys in it; and under another name all is made anew. Neither may look like success. */}}
{{- define "ac.checkNames" -}}
{{- $name := include "ac.fullname" . -}}
{{- if not (regexMatch "^[a-z]([a-z0-9-]*[a-z0-9])?$" $name) -}}
{{- fail (printf "fullnameOverride: objects would be called %s-…, and a Service's name begins with a letter and has letters, digits and - alone; set another name" $name) -}}
{{- end -}}
{{- $given := dict "secrets.existingSecret" .Values.secrets.existingSecret -}}
{{- if eq .Values.tls.mode "existing" -}}
{{- $_ := set $given "collector.tls.existingSecret" .Values.collector.tls.existingSecret -}}
{{- $_ := set $given "sidecar.tls.existingSecret" .Values.sidecar.tls.existingSecret -}}
{{- $_ := set $given "bus.bundled.tls.existingSecret" .Values.bus.bundled.tls.existingSecret -}}
{{- end -}}
{{- $own := list -}}
{{- range list "secrets" "collector-tls" "sidecar-tls" "bus-tls" -}}
{{- $own = append $own (printf "%s-%s" $name .) -}}
{{- end -}}
{{- range $path, $secret := $given -}}
{{- /* One of that name that is not Helm's is somebody's own; a first install has nothing to lose. */}}
{{- if and $.Release.IsUpgrade (has $secret $own) -}}
{{- $there := lookup "v1" "Secret" $.Release.Namespace $secret -}}
{{- if or (not $there) (eq (dig "metadata" "labels" "app.kubernetes.io/managed-by" "" $there) "Helm") -}}
{{- fail (printf "%s: %s is the name of the Secret that the chart makes itself, and Helm would delete it; copy it into a Secret of another name, and name that one (docs/kubernetes.md, Taking over the keys)" $path $secret) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if .Release.IsUpgrade -}}
{{- $keys := .Values.secrets.existingSecret -}}
{{- if and $keys (lookup "v1" "Secret" .Release.Namespace (printf "%s-secrets" $name)) (not (lookup "v1" "Secret" .Release.Namespace $keys)) -}}
{{- fail (printf "secrets.existingSecret: there is no Secret %s, and this upgrade would delete the keys that are in use; copy them first (docs/kubernetes.md, Taking over the keys)" $keys) -}}
{{- end -}}
{{- $former := lookup "apps/v1" "StatefulSet" .Release.Namespace "" -}}
{{- range dig "items" list $former -}}
{{- $labels := default dict .metadata.labels -}}
{{- if and (eq (get $labels "app.kubernetes.io/part-of") "activity-center") (eq (get $labels "app.kubernetes.io/instance") $.Release.Name) -}}
{{- $now := include "ac.selector" $ | fromYaml -}}
{{- if or (ne .metadata.name (printf "%s-collector" $name)) (ne (get $labels "app.kubernetes.io/name") (get $now "app.kubernetes.io/name")) -}}
{{- fail (printf "nameOverride, fullnameOverride: the release's collector is the StatefulSet %s, and its names cannot change: keys, certificates and what is not delivered yet would stay behind; set them as they were" .metadata.name) -}}
{{- end -}}
{{- if not (or $keys (lookup "v1" "Secret" $.Release.Namespace (printf "%s-secrets" $name))) -}}
{{- fail "secrets.existingSecret: it names no Secret, the chart's own is not there, and this upgrade would make new keys; name the Secret that is in use" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
