package networkpolicy

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Validate says why an API server would not take a policy: the rules are those of
// Kubernetes 1.36, which is strict about addresses.
func Validate(policy *networkingv1.NetworkPolicy) field.ErrorList {
	faults := validateName(policy)
	spec, at := &policy.Spec, field.NewPath("spec")
	faults = append(faults, validateSelector(&spec.PodSelector, at.Child("podSelector"))...)
	for i := range spec.Ingress {
		at := at.Child("ingress").Index(i)
		faults = append(faults, validateRule(spec.Ingress[i].Ports, spec.Ingress[i].From, at, at.Child("from"))...)
	}
	for i := range spec.Egress {
		at := at.Child("egress").Index(i)
		faults = append(faults, validateRule(spec.Egress[i].Ports, spec.Egress[i].To, at, at.Child("to"))...)
	}
	return append(faults, validateTypes(spec.PolicyTypes, at.Child("policyTypes"))...)
}

func validateName(policy *networkingv1.NetworkPolicy) (faults field.ErrorList) {
	at := field.NewPath("metadata", "name")
	if policy.Name == "" {
		return field.ErrorList{field.Required(at, "")}
	}
	for _, why := range apivalidation.NameIsDNSSubdomain(policy.Name, false) {
		faults = append(faults, field.Invalid(at, policy.Name, why))
	}
	return faults
}

func validateSelector(selector *metav1.LabelSelector, at *field.Path) field.ErrorList {
	return metavalidation.ValidateLabelSelector(selector, metavalidation.LabelSelectorValidationOptions{}, at)
}

func validateTypes(types []networkingv1.PolicyType, at *field.Path) (faults field.ErrorList) {
	if len(types) > 2 {
		return field.ErrorList{field.Invalid(at, types, "may not specify more than two policyTypes")}
	}
	for i, name := range types {
		if name != networkingv1.PolicyTypeIngress && name != networkingv1.PolicyTypeEgress {
			faults = append(faults, field.NotSupported(at.Index(i), name, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}))
		}
	}
	return faults
}

func validateRule(ports []networkingv1.NetworkPolicyPort, peers []networkingv1.NetworkPolicyPeer, at, peersAt *field.Path) (faults field.ErrorList) {
	for i := range ports {
		faults = append(faults, validatePort(&ports[i], at.Child("ports").Index(i))...)
	}
	for i := range peers {
		faults = append(faults, validatePeer(&peers[i], peersAt.Index(i))...)
	}
	return faults
}

func validatePort(port *networkingv1.NetworkPolicyPort, at *field.Path) (faults field.ErrorList) {
	invalid := func(name string, value any, reasons ...string) {
		for _, why := range reasons {
			faults = append(faults, field.Invalid(at.Child(name), value, why))
		}
	}
	if port.Protocol != nil && !isProtocol(*port.Protocol) {
		faults = append(faults, field.NotSupported(at.Child("protocol"), *port.Protocol, Protocols()))
	}
	switch {
	case port.Port == nil:
		if port.EndPort != nil {
			invalid("endPort", *port.EndPort, "may not be specified when `port` is not specified")
		}
	case port.Port.Type == intstr.String:
		if port.EndPort != nil {
			invalid("endPort", *port.EndPort, "may not be specified when `port` is non-numeric")
		}
		invalid("port", port.Port.StrVal, validation.IsValidPortName(port.Port.StrVal)...)
	default:
		invalid("port", port.Port.IntVal, validation.IsValidPortNum(int(port.Port.IntVal))...)
		if port.EndPort != nil {
			if *port.EndPort < port.Port.IntVal {
				invalid("endPort", *port.EndPort, "must be greater than or equal to `port`")
			}
			invalid("endPort", *port.EndPort, validation.IsValidPortNum(int(*port.EndPort))...)
		}
	}
	return faults
}

// Protocols lists the protocols that policies know.
func Protocols() []corev1.Protocol {
	return []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}
}

func isProtocol(protocol corev1.Protocol) bool {
	return protocol == corev1.ProtocolTCP || protocol == corev1.ProtocolUDP || protocol == corev1.ProtocolSCTP
}

func validatePeer(peer *networkingv1.NetworkPolicyPeer, at *field.Path) (faults field.ErrorList) {
	selects := peer.PodSelector != nil || peer.NamespaceSelector != nil
	switch {
	case !selects && peer.IPBlock == nil:
		return field.ErrorList{field.Required(at, "must specify a peer")}
	case selects && peer.IPBlock != nil:
		faults = append(faults, field.Forbidden(at, "may not specify both ipBlock and another peer"))
	}
	faults = append(faults, validateSelector(peer.PodSelector, at.Child("podSelector"))...)
	faults = append(faults, validateSelector(peer.NamespaceSelector, at.Child("namespaceSelector"))...)
	if peer.IPBlock != nil {
		faults = append(faults, validateBlock(peer.IPBlock, at.Child("ipBlock"))...)
	}
	return faults
}

func validateBlock(block *networkingv1.IPBlock, at *field.Path) field.ErrorList {
	if block.CIDR == "" {
		return field.ErrorList{field.Required(at.Child("cidr"), "")}
	}
	faults := validation.IsValidCIDRForLegacyField(at.Child("cidr"), block.CIDR, true, nil)
	whole, err := netip.ParsePrefix(block.CIDR)
	if err != nil {
		return faults
	}
	for i, text := range block.Except {
		at := at.Child("except").Index(i)
		faults = append(faults, validation.IsValidCIDRForLegacyField(at, text, true, nil)...)
		part, err := netip.ParsePrefix(text)
		if err == nil && (!whole.Contains(part.Addr()) || whole.Bits() >= part.Bits()) {
			faults = append(faults, field.Invalid(at, text, "must be a strict subset of `cidr`"))
		}
	}
	return faults
}
