{{/* Labels of every object. */}}
{{- define "parkade.labels" -}}
app.kubernetes.io/name: parkade
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: parkade
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Name, namespace, labels, annotations. Takes root, name, and if wanted: component, namespace, clusterScoped, keep, labels, annotations. */}}
{{- define "parkade.metadata" -}}
{{- $root := .root -}}
{{- $annotations := merge (dict) (.annotations | default dict) $root.Values.commonAnnotations -}}
{{- if and .keep $root.Values.keepOnUninstall -}}
{{- $_ := set $annotations "helm.sh/resource-policy" "keep" -}}
{{- end -}}
name: {{ .name }}
{{- if not .clusterScoped }}
namespace: {{ .namespace | default $root.Release.Namespace }}
{{- end }}
labels:
  {{- include "parkade.labels" $root | nindent 2 }}
  {{- with .component }}
  app.kubernetes.io/component: {{ . }}
  {{- end }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What selects the pods of a component. Takes root, component. */}}
{{- define "parkade.selector" -}}
app.kubernetes.io/name: parkade
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* The one subject of a binding. Takes root, name. */}}
{{- define "parkade.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ .name }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{/* The gateway's name inside of the cluster. */}}
{{- define "parkade.gatewayHost" -}}
parkade-gateway.{{ .Release.Namespace }}.svc
{{- end }}

{{- define "parkade.image" -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end }}
