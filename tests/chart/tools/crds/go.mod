// Resource definitions that the chart's optional objects need; go.sum holds the digests.
module activity-center/tests/chart/tools/crds

go 1.24.0

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.6.3
)
