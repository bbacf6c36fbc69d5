{{- /*
A ValidatingAdmissionPolicy and its binding: what RBAC cannot say about one ServiceAccount of the release. Takes root,
component (whose ServiceAccount), name, group and resources, and as YAML text variables and validations.
*/}}
{{- define "parkade.policy" -}}
{{- $name := printf "parkade-%s-%s" .component .name }}
{{- $metadata := include "parkade.metadata" (dict "root" .root "name" $name "component" .component "clusterScoped" true) -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  {{- $metadata | nindent 2 }}
spec:
  policyName: {{ $name }}
  validationActions: [Deny]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  {{- $metadata | nindent 2 }}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: [{{ .group | quote }}]
        apiVersions: [v1]
        operations: [CREATE, UPDATE, DELETE]
        resources: [{{ join ", " .resources }}]
  matchConditions:
    - name: only-the-{{ .component }}
      expression: request.userInfo.username == 'system:serviceaccount:{{ .root.Release.Namespace }}:parkade-{{ .component }}'
  variables:
    - {name: updates, expression: "request.operation == 'UPDATE'"}
    - {name: isStatus, expression: "request.?subResource.orValue('') == 'status'"}
    - {name: after, expression: "request.operation == 'DELETE' ? oldObject : object"}
    - {name: before, expression: "request.operation == 'CREATE' ? object : oldObject"}
    - {name: labels, expression: "variables.after.metadata.?labels.orValue({})"}
    - {name: oldLabels, expression: "variables.before.metadata.?labels.orValue({})"}
    - name: sameMetadata
      expression: >-
        variables.after.metadata.?annotations.orValue({}) == variables.before.metadata.?annotations.orValue({}) &&
        variables.after.metadata.?finalizers.orValue([]) == variables.before.metadata.?finalizers.orValue([])
    {{- with .variables }}
    {{- . | nindent 4 }}
    {{- end }}
  validations:
    {{- .validations | nindent 4 }}
{{- end }}
