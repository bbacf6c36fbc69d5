{{/* A ClusterRole and its binding to the component's ServiceAccount. Takes root, component, rules (YAML text). */}}
{{- define "parkade.clusterRole" -}}
{{- $name := printf "parkade-%s" .component -}}
{{- $metadata := include "parkade.metadata" (dict "root" .root "name" $name "component" .component "clusterScoped" true) -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  {{- $metadata | nindent 2 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  {{- $metadata | nindent 2 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ $name }}}
{{ include "parkade.subjects" (dict "root" .root "name" $name) }}
{{- end }}

{{/* A Role and its binding. Takes root, component, rules (YAML text), and namespace if it is not the release's. */}}
{{- define "parkade.role" -}}
{{- $name := printf "parkade-%s" .component -}}
{{- $metadata := include "parkade.metadata" (dict "root" .root "name" $name "component" .component "namespace" .namespace) -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- $metadata | nindent 2 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- $metadata | nindent 2 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $name }}}
{{ include "parkade.subjects" (dict "root" .root "name" $name) }}
{{- end }}
