{{/*
A Deployment of one of our processes. Takes root, component, values (its part of values.yaml), image (its part of
images), command, and what differs as YAML text: env, ports, volumes, mounts, affinity.
*/}}
{{- define "parkade.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "parkade.metadata" (dict "root" .root "name" (printf "parkade-%s" .component) "component" .component) | nindent 2 }}
spec:
  replicas: {{ .values.replicas }}
  revisionHistoryLimit: 3
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  selector:
    matchLabels:
      {{- include "parkade.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "parkade.labels" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
        {{- with .values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        {{- $fixed := dict "prometheus.io/scrape" "true" "prometheus.io/port" "8080" }}
        {{- toYaml (merge (dict) .values.podAnnotations .root.Values.commonAnnotations $fixed) | nindent 8 }}
    spec:
      {{- include "parkade.podSpec" . | nindent 6 }}
{{- end }}

{{- define "parkade.podSpec" -}}
serviceAccountName: parkade-{{ .component }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .restartPolicy }}
restartPolicy: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with merge (dict) .values.affinity (.affinity | default dict) }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if not .restartPolicy }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "parkade.selector" . | nindent 8 }}
{{- end }}
containers:
  - name: {{ .component }}
    image: {{ include "parkade.image" . }}
    imagePullPolicy: {{ .image.pullPolicy }}
    command: [{{ .command }}]
    env:
      {{- .env | nindent 6 }}
      {{- with .values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- if not .restartPolicy }}
    ports:
      {{- with .ports }}
      {{- . | nindent 6 }}
      {{- end }}
      - {name: metrics, containerPort: 8080}
    {{- include "parkade.probes" . | nindent 4 }}
    {{- end }}
    resources:
      {{- toYaml .values.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      {{- .mounts | nindent 6 }}
volumes:
  - name: tmp
    emptyDir: {}
  {{- .volumes | nindent 2 }}
{{- end }}

{{/* A process that is alive beats; one that leads, stands by or has a session is ready. */}}
{{- define "parkade.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
{{- end }}

{{/* Where a process opens its ports. */}}
{{- define "parkade.env.listen" -}}
- name: PARKADE_LISTEN_ADDRESS
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: PARKADE_METRICS_PORT
  value: "8080"
{{- end }}

{{/* Variables and volume of a process that talks to the API server with its own ServiceAccount. */}}
{{- define "parkade.env.kube" -}}
- name: PARKADE_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: PARKADE_KUBE_CA_FILE
  value: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
- name: PARKADE_KUBE_TOKEN_FILE
  value: /var/run/secrets/kubernetes.io/serviceaccount/token
{{- end }}

{{- define "parkade.mount.kube" -}}
- name: kube
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}

{{- define "parkade.volume.kube" -}}
- name: kube
  projected:
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap:
          name: kube-root-ca.crt
          items: [{key: ca.crt, path: ca.crt}]
{{- end }}

{{/* A candidate's name in its Lease. */}}
{{- define "parkade.env.candidate" -}}
- name: PARKADE_POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- end }}
