{{- /* What all names begin with. */ -}}
{{- define "meshtrace.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "meshtrace.operator" -}}
{{ include "meshtrace.fullname" . }}-operator
{{- end -}}

{{- define "meshtrace.collector" -}}
{{ include "meshtrace.fullname" . }}-collector
{{- end -}}

{{- define "meshtrace.operator.serviceAccount" -}}
{{ default (include "meshtrace.operator" .) .Values.operator.serviceAccount.name }}
{{- end -}}

{{- define "meshtrace.collector.serviceAccount" -}}
{{ default (include "meshtrace.collector" .) .Values.collector.serviceAccount.name }}
{{- end -}}

{{- /* The labels by which a component's pods are found: list ROOT COMPONENT. They never change. */ -}}
{{- define "meshtrace.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- /* The labels of everything: list ROOT COMPONENT. */ -}}
{{- define "meshtrace.labels" -}}
{{- $root := index . 0 -}}
{{ include "meshtrace.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: meshtrace
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_") }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The labels of a component's pods: list ROOT COMPONENT. Not the chart's version, with which all would be restarted. */ -}}
{{- define "meshtrace.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "meshtrace.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: meshtrace
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* An image's name: list ROOT IMAGE. */ -}}
{{- define "meshtrace.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- $place := $image.repository -}}
{{- with $root.Values.image.registry -}}
{{- $place = printf "%s/%s" (trimSuffix "/" .) $place -}}
{{- end -}}
{{- if $image.digest -}}
{{ $place }}@{{ $image.digest }}
{{- else -}}
{{ $place }}:{{ coalesce $image.tag $root.Values.image.tag $root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* What all pods of ours have in common: list ROOT COMPONENT VALUES. */ -}}
{{- define "meshtrace.pod" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $values := index . 2 -}}
enableServiceLinks: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.topologySpreadConstraints }}
topologySpreadConstraints:
{{- range . }}
{{- $own := dict "labelSelector" (dict "matchLabels" (include "meshtrace.selector" (list $root $component) | fromYaml)) }}
  - {{- merge (deepCopy .) $own | toYaml | nindent 4 }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* What Pod Security's `restricted` asks of a pod. 65532 is what the images run as. */ -}}
{{- define "meshtrace.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- /* What Pod Security's `restricted` asks of a container. */ -}}
{{- define "meshtrace.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* 85 % of the volume, in MiB: the store keeps to that, the rest is for what is written before something is removed. */ -}}
{{- define "meshtrace.collector.dataMaxBytes" -}}
{{- $size := .Values.collector.storage.size -}}
{{- $mebibytes := regexFind "^[0-9]+" $size | int64 -}}
{{- if hasSuffix "Ti" $size -}}
{{- $mebibytes = mul $mebibytes 1048576 -}}
{{- else if hasSuffix "Gi" $size -}}
{{- $mebibytes = mul $mebibytes 1024 -}}
{{- end -}}
{{ div (mul $mebibytes 85) 100 }}MiB
{{- end -}}
